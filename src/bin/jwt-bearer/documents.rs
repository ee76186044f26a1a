//! Completions and manual pages, from the definition of the arguments.

use std::ffi::OsString;
use std::path::Path;
use std::{env, fs, io};

use clap::{Command, CommandFactory as _};
use clap_complete::env::{CompleteEnv, Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};
use clap_mangen::Man;

use crate::args::Arguments;
use crate::completion::Bash;
use crate::connections::Connections;
use crate::failure::Failure;
use crate::output::print_to_stdout;
use crate::providers;

const NAME: &str = "jwt-bearer";
/// The variable by which a completion script asks for completions.
const VARIABLE: &str = "JWT_BEARER_COMPLETE";
/// The command whose manual has a page for each provider; the others take the same options.
const WITH_PROVIDERS: &str = "token";

/// Answers the question of a completion script, if there is one. Connections are completed like providers.
///
/// # Errors
/// If the question cannot be answered.
pub(crate) fn complete() -> Result<bool, clap::Error> {
    if env::var_os(VARIABLE).is_none() {
        return Ok(false);
    }
    if let Ok(connections) = Connections::read(None) {
        connections.set();
    }
    let directory = env::current_dir().ok();
    let shells: [&dyn EnvCompleter; 5] = [&Bash, &Elvish, &Fish, &Powershell, &Zsh];
    CompleteEnv::with_factory(Arguments::command)
        .shells(Shells(&shells))
        .var(VARIABLE)
        .bin(NAME)
        .completer(NAME)
        .try_complete(env::args_os(), directory.as_deref())
}

/// Prints a script for a shell, which asks this program for completions.
///
/// # Errors
/// If standard output is closed or full.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    if let Some(shell) = Shells::builtins().completer(&shell.to_string()) {
        shell
            .write_registration(VARIABLE, NAME, NAME, NAME, &mut script)
            .map_err(Failure::stdout)?;
    }
    print_to_stdout(String::from_utf8_lossy(&script).trim_end())
}

/// Prints the manual page of the program, or writes those of all commands into a directory.
///
/// # Errors
/// If standard output or the directory cannot be written.
pub(crate) fn manual(directory: Option<&Path>) -> Result<(), Failure> {
    let mut command = Arguments::command();
    command.build();
    let Some(directory) = directory else {
        let page = page(&command).map_err(Failure::stdout)?;
        return print_to_stdout(String::from_utf8_lossy(&page).trim_end());
    };
    let write = || -> io::Result<usize> {
        fs::create_dir_all(directory)?;
        let pages = pages(&command);
        for (name, command) in &pages {
            fs::write(directory.join(name), page(command)?)?;
        }
        Ok(pages.len())
    };
    let number =
        write().map_err(|error| Failure::config(format!("{}: {error}", directory.display())))?;
    print_to_stdout(&format!("{number} pages in {}", directory.display()))
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    Ok(page)
}

/// Returns the commands that have a page, and the name of the page's file.
fn pages(command: &Command) -> Vec<(OsString, &Command)> {
    let mut commands = vec![command];
    let subcommands = command.get_subcommands();
    for command in subcommands.filter(|command| command.get_name() != "help") {
        commands.push(command);
        let takes_provider = providers::takes_provider(command);
        if !takes_provider || command.get_name() == WITH_PROVIDERS {
            commands.extend(command.get_subcommands());
        }
    }
    let has_page = |command: &&Command| command.get_name() != "help";
    let commands = commands.into_iter().filter(has_page);
    let named = commands.map(|command| {
        let name = command.get_display_name().unwrap_or(command.get_name());
        (OsString::from(format!("{name}.1")), command)
    });
    named.collect()
}
