//! The command line: arguments in, a token on standard output, everything else on standard error.

mod agent;
mod args;
#[cfg(unix)]
mod cache;
mod check;
mod config;
mod connections;
mod certificate;
mod decode;
mod demo;
mod documents;
mod files;
mod layers;
mod json_text;
mod jwt;
mod key;
mod key_hints;
mod key_new;
mod key_source;
mod output;
mod profiles;
mod providers;
mod proxy;
mod roots;
mod sandbox;
mod secrets;
mod times;
mod tls;
mod trace;
mod usage;
mod verification;

use std::process::ExitCode;
use std::time::SystemTime;

use jwt_bearer::{ErrorKind, TokenSource};

use crate::agent::ProxyingAgent;
use crate::args::Command;
use crate::output::{Failure, print_to_stdout, print_trace};
use crate::profiles::ProfileAndSigner;

fn main() -> ExitCode {
    match documents::complete() {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(error) => error.exit(),
    }
    let arguments = match usage::parse() {
        Ok(arguments) => arguments,
        Err(status) => return status,
    };
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo => demo::run(),
        Command::Token {
            format,
            #[cfg(unix)]
            cache,
            chosen,
        } => {
            let ProfileAndSigner {
                profile,
                signer,
                secrets,
                common,
                ..
            } = profiles::build(chosen)?;
            let agent = ProxyingAgent::new(&common, &profile, &*signer)?;
            let shows_token = common.verbose && profile.is_self_signed();
            let source = match common.verbose {
                true => {
                    let placement = profile.assertion_placement().clone();
                    let traced = trace::traced(agent, placement, secrets.clone(), print_trace);
                    TokenSource::with_transport(traced, profile, signer)
                }
                false => TokenSource::with_transport(agent, profile, signer),
            };
            let source = source?.with_timeout(common.timeout());
            #[cfg(unix)]
            let token = {
                let source = cache::with_cache(source, &cache, common.verbose.then_some(secrets))?;
                cache::token(&source, &cache)?
            };
            #[cfg(not(unix))]
            let token = source.token()?;
            if shows_token {
                trace::decode(token.secret()).for_each(print_trace);
            }
            print_to_stdout(&output::format_token(&token, format))
        }
        Command::Assertion { chosen } => {
            let ProfileAndSigner {
                profile,
                signer,
                common,
                ..
            } = profiles::build(chosen)?;
            let discovers = !profile.metadata_requests()?.is_empty();
            let assertion = profile
                .assertion(&*signer, SystemTime::now())
                .map_err(
                    |error| match discovers && error.kind() == ErrorKind::Config {
                        true => Failure::config(
                            "the audience would have to be discovered: give --audience",
                        ),
                        false => error.into(),
                    },
                )?;
            if common.verbose {
                trace::decode(assertion.secret()).for_each(print_trace);
            }
            print_to_stdout(assertion.secret())
        }
        Command::Config { connection } => config::run(connection.as_deref()),
        Command::Check { options, chosen } => check::run(&options, chosen),
        #[cfg(unix)]
        Command::Forget { cache_dir, chosen } => {
            let profile = chosen.map(profiles::build).transpose()?;
            cache::forget(cache_dir.as_deref(), profile)
        }
        Command::Key(arguments) => key::run(arguments),
        Command::Decode(arguments) => decode::run(&arguments),
        Command::Sandbox { listen, tls } => sandbox::run(listen, tls),
        Command::Completions { shell } => documents::completions(shell),
        Command::Man { dir } => documents::manual(dir.as_deref()),
    }
}
