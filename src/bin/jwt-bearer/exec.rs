//! The `exec` command: another command, with the token in its environment.

use std::ffi::{OsStr, OsString};
use std::process::Command;
use std::{env, io};

use clap::{Arg, ArgAction, value_parser};
use clap_complete::engine::ArgValueCompleter;
use jwt_bearer::AccessToken;

use crate::completion;
use crate::failure::Failure;
use crate::files;
use crate::names::PREFIX;

/// The argument that takes the command and its arguments.
pub(crate) const COMMAND: &str = "COMMAND";
/// The exit statuses of a shell for a command that does not exist, and for one that it cannot run (POSIX 2.8.2).
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;
/// The longest name that is repeated, in bytes.
const MAX_NAME: usize = 255;

/// Returns the argument, which takes everything after `--`.
pub(crate) fn argument() -> Arg {
    Arg::new(COMMAND)
        .help("The command to run, and its arguments")
        .value_parser(value_parser!(OsString))
        .add(ArgValueCompleter::new(completion::of_command))
        .action(ArgAction::Append)
        .num_args(1..)
        .last(true)
        .required(true)
}

/// Runs a command with the token in a variable.
///
/// The command gets neither the variables of this program nor those that were read in place of files. On Unix it
/// replaces this process, so that its exit status and the signals that it gets are its own.
///
/// # Errors
/// If the command cannot be run, with the exit status of a shell.
pub(crate) fn run(
    command_line: &[OsString],
    variable: &str,
    token: &AccessToken,
) -> Result<(), Failure> {
    let Some((program, arguments)) = command_line.split_first() else {
        return Err(Failure::usage("a command is needed after --"));
    };
    let mut command = Command::new(program);
    let own = env::vars_os().map(|(name, _)| name);
    // Variable names are case-insensitive on Windows.
    let is_own = |name: &OsString| {
        let name = name.to_string_lossy();
        match cfg!(windows) {
            true => name.to_ascii_uppercase().starts_with(PREFIX),
            false => name.starts_with(PREFIX),
        }
    };
    for name in own.filter(is_own) {
        command.env_remove(name); // the key is not for the command
    }
    for name in files::variables_read() {
        command.env_remove(name);
    }
    command.args(arguments).env(variable, token.secret());
    let error = replace_process(&mut command);
    let status = match error.kind() {
        io::ErrorKind::NotFound => NOT_FOUND,
        _ => NOT_EXECUTABLE,
    };
    let name = shown(program);
    Err(Failure::command(status, format!("{name}: {error}")))
}

/// Replaces this process with the command. Returns only if that fails, and says why.
#[cfg(unix)]
fn replace_process(command: &mut Command) -> io::Error {
    std::os::unix::process::CommandExt::exec(command)
}

#[cfg(not(unix))]
fn replace_process(command: &mut Command) -> io::Error {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    }
}

/// Returns the name of a command, unless it may be an assignment with a secret, or a script.
fn shown(program: &OsStr) -> String {
    let name = program.to_string_lossy();
    match name.len() > MAX_NAME || name.contains(['=', '\n']) {
        true => "the command".to_owned(),
        false => name.into_owned(),
    }
}
