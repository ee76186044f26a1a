//! The command line: arguments in, a token on standard output, everything else on standard error.

mod agent;
mod args;
mod cache;
mod certificate;
mod certificate_hints;
mod check;
mod chosen;
mod completion;
mod config;
mod connections;
mod decode;
mod demo;
mod documents;
mod examples;
mod exec;
mod failure;
mod fetch;
mod files;
mod format;
mod json_text;
mod jwt;
mod key;
mod key_hints;
mod key_new;
mod key_source;
mod layers;
mod messages;
mod mistakes;
mod names;
mod options;
mod origins;
mod output;
mod pairs;
mod profiles;
mod progress;
mod providers;
mod proxy;
mod public_form;
mod refused_input;
mod reporting;
mod roots;
mod sandbox;
mod secrets;
mod shell;
mod signals;
mod times;
mod tls;
mod trace;
mod usage;
mod verification;
mod warnings;
mod words;

use std::process::ExitCode;
use std::time::SystemTime;

use jwt_bearer::ErrorKind;

use crate::args::Command;
use crate::connections::Connections;
use crate::failure::Failure;
use crate::messages::print_trace;
use crate::output::print_to_stdout;
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
    reporting::apply(&arguments.reporting);
    warnings::show();
    Connections::get().warn();
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
            env,
            cache,
            chosen,
        } => {
            let token = fetch::token(chosen, &cache)?;
            let variable = env.as_deref().unwrap_or(format::VARIABLE);
            print_to_stdout(&format::format_token(&token, format, variable))
        }
        Command::Exec { env, cache, chosen } => {
            let command_line = chosen.command_line();
            let token = fetch::token(chosen, &cache)?;
            exec::run(&command_line, &env, &token)
        }
        Command::Assertion { chosen } => {
            let ProfileAndSigner {
                profile,
                signer,
                common,
                ..
            } = profiles::build_unsent(chosen)?;
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
        Command::Forget { cache_dir, chosen } => {
            let profile = chosen.map(profiles::build).transpose()?;
            cache::forget(cache_dir.as_deref(), profile)
        }
        Command::Key(arguments) => key::run(arguments),
        Command::Decode(arguments) => decode::run(&arguments),
        Command::Sandbox(options) => sandbox::run(&options),
        Command::Completions { shell } => documents::completions(shell),
        Command::Man { dir } => documents::manual(dir.as_deref()),
    }
}
