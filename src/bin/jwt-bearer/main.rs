//! The command line: arguments in, one token on standard output, everything else on standard error.

mod args;
#[cfg(unix)]
mod cache;
mod demo;
mod files;
mod profiles;
mod report;
mod serve;
mod wire;

use std::process::ExitCode;
use std::time::SystemTime;

use clap::{CommandFactory as _, Parser as _};
use jwt_bearer::{ErrorKind, TokenSource};

use crate::args::{Arguments, Command};
use crate::profiles::Prepared;
use crate::report::{Failure, print};

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
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
            profile,
        } => {
            let Prepared {
                profile,
                key,
                common,
            } = profiles::prepare(profile)?;
            let agent = wire::agent(common.ca.as_deref())?;
            let source = match common.verbose {
                true => {
                    TokenSource::with_transport(wire::observed(agent, report::row), profile, key)
                }
                false => TokenSource::with_transport(agent, profile, key),
            };
            let source = source?.with_timeout(common.timeout());
            #[cfg(unix)]
            let source = cache::cached(source, cache, common.verbose)?;
            print(&report::token(&source.token()?, format))
        }
        Command::Assertion { profile } => {
            let Prepared {
                profile,
                key,
                common,
            } = profiles::prepare(profile)?;
            let discovers = !profile.metadata_requests()?.is_empty();
            let assertion = profile
                .assertion(&*key, SystemTime::now())
                .map_err(
                    |error| match discovers && error.kind() == ErrorKind::Config {
                        true => Failure::config(
                            "the audience would have to be discovered: give --audience",
                        ),
                        false => error.into(),
                    },
                )?;
            if common.verbose {
                wire::parts(assertion.secret()).for_each(report::row);
            }
            print(assertion.secret())
        }
        #[cfg(unix)]
        Command::Forget { cache_dir } => cache::forget(cache_dir),
        Command::Sandbox { listen } => serve::run(listen),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "jwt-bearer", &mut script);
            // The generator for bash names a command with a hyphen in two ways, and so completes nothing below it.
            let script = String::from_utf8_lossy(&script)
                .replace("        jwt__subcmd__bearer__", "        jwt__bearer__");
            print(script.trim_end())
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Arguments::command())
                .render(&mut page)
                .map_err(Failure::output)?;
            print(String::from_utf8_lossy(&page).trim_end())
        }
    }
}
