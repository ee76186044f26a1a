//! The configuration file: a table for each connection, whose keys are the options of the command line.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{env, fs, io};

use clap_complete::engine::CompletionCandidate;
use jwt_bearer::provider::{PROVIDERS, Provider};
use jwt_bearer::{SETTINGS, Setting, SettingValue};
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::messages::{escape_invisible, print_message};
use crate::names::{self, nearest, shown};
use crate::pairs::{self, is_secret_pair};
use crate::{files, shell};

/// The variable that names the configuration file.
pub(crate) const VARIABLE: &str = "JWT_BEARER_CONFIG";
/// The largest configuration file, in bytes: ten thousand connections take a tenth of it.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// The subcommand that takes a credential file in place of a provider. No connection has this name.
pub(crate) const CREDENTIALS: &str = "credentials";
/// The key of a connection that is not an option.
const PROVIDER: &str = "provider";
/// What to do about a backslash that is not an escape of TOML.
const BACKSLASHES: &str =
    ": a text with backslashes, such as a path of Windows, is written in single quotes";

static CONNECTIONS: OnceLock<Connections> = OnceLock::new();

static NONE: Connections = Connections {
    file: None,
    exists: false,
    connections: Vec::new(),
    shows_secrets: false,
    is_writable_by_all: false,
};

/// The content of the configuration file.
#[derive(Default)]
pub(crate) struct Connections {
    /// `None` if no directory for configuration is known.
    pub(crate) file: Option<PathBuf>,
    pub(crate) exists: bool,
    connections: Vec<Connection>,
    /// Whether other users can read a value that may be a secret.
    shows_secrets: bool,
    /// Whether all users can change the file, and so where assertions are sent.
    is_writable_by_all: bool,
}

/// A named set of provider, options and key.
pub(crate) struct Connection {
    pub(crate) name: String,
    /// `None` if a credential file names it.
    pub(crate) provider: Option<&'static Provider>,
    pub(crate) line: usize,
    pub(crate) provider_line: Option<usize>,
    /// Why there is no such provider. It concerns only those who use the connection.
    pub(crate) provider_problem: Option<String>,
    /// In the order of the file.
    pub(crate) options: Vec<ConnectionOption>,
}

/// An option of a connection.
pub(crate) struct ConnectionOption {
    pub(crate) name: String,
    pub(crate) line: usize,
    /// No value for a switch that is off, an empty one for a switch that is on.
    pub(crate) values: Vec<String>,
}

impl Connections {
    /// Returns the connections that [`set`](Self::set) has stored for this process.
    pub(crate) fn get() -> &'static Self {
        CONNECTIONS.get().unwrap_or(&NONE)
    }

    /// Stores the connections for this process, since clap's subcommands cannot capture anything.
    pub(crate) fn set(self) {
        let _ = CONNECTIONS.set(self); // once a process
    }

    /// Reads the file that `--config` or the variable names, else the user's, which may be absent.
    ///
    /// # Errors
    /// If a named file does not exist, or the file cannot be read or has invalid content.
    pub(crate) fn read(named: Option<PathBuf>) -> Result<Self, Failure> {
        let variable = || env::var_os(VARIABLE).filter(|value| !value.is_empty());
        let (path, is_named) = match named.or_else(|| variable().map(PathBuf::from)) {
            Some(path) => (path, true),
            None => match files::directory("XDG_CONFIG_HOME", platform_directory) {
                Some(directory) => (directory.join("jwt-bearer").join("config.toml"), false),
                None => return Ok(Self::default()),
            },
        };
        let bytes = match read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => {
                return Ok(Self {
                    file: Some(path),
                    ..Self::default()
                });
            }
            Err(error) => {
                return Err(Failure::config(format!("{}: {error}", path.display())));
            }
        };
        let text = files::text(&path, &bytes)?;
        Self::parse(&path, text).map_err(|(line, message)| {
            Failure::config(format!("{}:{line}: {message}", path.display()))
        })
    }

    fn parse(path: &Path, text: &str) -> Result<Self, (usize, String)> {
        let line_ends: Vec<_> = text.match_indices('\n').map(|(at, _)| at).collect();
        let line_of = |offset: usize| {
            line_ends
                .partition_point(|end| *end < offset)
                .saturating_add(1)
        };
        let table = DeTable::parse(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            // The whole error would quote the line, which may contain a secret.
            let advice = match is_escape(text, offset) {
                true => BACKSLASHES,
                false => "",
            };
            (line_of(offset), format!("{}{advice}", error.message()))
        })?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let mut connections = Vec::new();
        let mut has_secrets = false;
        for (name, value) in table.get_ref() {
            let line = line_of(name.span().start);
            let DeValue::Table(options) = value.get_ref() else {
                return Err((
                    line,
                    format!(
                        "expected a connection, such as [prod], and below it its options; found the key {}",
                        shown(name.get_ref())
                    ),
                ));
            };
            let connection = Connection::parse(name.get_ref(), line, options, directory, &line_of)?;
            has_secrets |= connection.options.iter().any(ConnectionOption::has_secret);
            connections.push(connection);
        }
        connections.sort_by_key(|connection| connection.line);
        Ok(Self {
            file: Some(path.to_owned()),
            exists: true,
            connections,
            shows_secrets: has_secrets && has_mode(path, 0o077),
            is_writable_by_all: has_mode(path, 0o002),
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.connections.iter()
    }

    /// Keeps only the connection of this name, if it exists: each is a subcommand, and there may be thousands.
    pub(crate) fn keep(&mut self, name: &str) {
        if self.named(name).is_some() {
            self.connections
                .retain(|connection| connection.name == name);
        }
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Connection> {
        self.iter().find(|connection| connection.name == name)
    }

    /// Warns about secrets that other users can read, and about a file that they can change.
    pub(crate) fn warn(&self) {
        if let (true, Some(file)) = (self.is_writable_by_all, &self.file) {
            let file = file.display();
            let word = shell::word(&file.to_string());
            print_message(&format!(
                "{file}: all users can change it, and so where your assertions are sent: chmod go-w {word}"
            ));
        }
        if let (true, Some(file)) = (self.shows_secrets, &self.file) {
            let file = file.display();
            let word = shell::word(&file.to_string());
            print_message(&format!(
                "{file}: other users can read a secret in it: chmod 600 {word}"
            ));
        }
    }

    /// Returns a line of the file, as messages name it.
    pub(crate) fn place(&self, line: usize) -> String {
        let file = self.file.as_deref().unwrap_or(Path::new("config.toml"));
        format!("{}:{line}", file.display())
    }
}

/// Returns whether a backslash in double quotes comes before this place, on the same line.
fn is_escape(text: &str, offset: usize) -> bool {
    let before = text.get(..=offset).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    let quoted = line.rsplit_once('\\').map(|(quoted, _)| quoted);
    quoted.is_some_and(|quoted| quoted.matches('"').count() % 2 == 1)
}

/// Returns the user's directory for configuration.
///
/// It is `%APPDATA%` on Windows and `~/.config` on every Unix. That includes macOS, where people look for the settings
/// of a command line there and not in `~/Library`.
fn platform_directory() -> Option<PathBuf> {
    match cfg!(unix) {
        true => dirs::home_dir().map(|home| home.join(".config")),
        false => dirs::config_dir(),
    }
}

/// Returns the names of the connections, for completion.
pub(crate) fn candidates() -> Vec<CompletionCandidate> {
    let connections = Connections::get().iter();
    connections
        .map(|connection| CompletionCandidate::new(&connection.name))
        .collect()
}

impl Connection {
    fn parse(
        name: &str,
        line: usize,
        options: &DeTable<'_>,
        directory: &Path,
        line_of: &dyn Fn(usize) -> usize,
    ) -> Result<Self, (usize, String)> {
        let is_visible = escape_invisible(name) == name && !name.contains(char::is_whitespace);
        if name.is_empty() || name.starts_with('-') || !is_visible {
            let message = "the name of a connection has no blank and no invisible character, and begins with no hyphen";
            return Err((line, message.to_owned()));
        }
        if matches!(name, "help" | CREDENTIALS) {
            return Err((line, format!("a connection cannot have the name {name}")));
        }
        let mut connection = Self {
            name: name.to_owned(),
            provider: None,
            line,
            provider_line: None,
            provider_problem: None,
            options: Vec::new(),
        };
        for (key, value) in options {
            let line = line_of(key.span().start);
            let key = key.get_ref();
            if key == PROVIDER {
                connection.provider_line = Some(line);
                match provider(value) {
                    Ok(provider) => connection.provider = Some(provider),
                    Err(problem) => connection.provider_problem = Some(problem),
                }
                continue;
            }
            let setting = SETTINGS.iter().find(|setting| setting.name == key);
            let values = values(setting, value)
                .map_err(|expected| (line, format!("{}: expected {expected}", shown(key))))?;
            let values = values
                .into_iter()
                .map(|value| match pairs::may_be_secret(key) {
                    true => below(directory, value),
                    false => value,
                });
            connection.options.push(ConnectionOption {
                name: key.to_string(),
                line,
                values: values.collect(),
            });
        }
        connection.options.sort_by_key(|option| option.line);
        Ok(connection)
    }

    /// Returns the path of a file name in a connection: relative names are below the directory of the configuration.
    pub(crate) fn file_name(value: &str) -> PathBuf {
        let file = Connections::get().file.as_deref();
        let directory = file.and_then(Path::parent).unwrap_or(Path::new(""));
        match value == "-" || value.starts_with(files::ENV) {
            true => PathBuf::from(value),
            false => directory.join(value),
        }
    }
}

impl ConnectionOption {
    /// Returns whether a value that may be a secret is in the configuration file itself.
    fn has_secret(&self) -> bool {
        let mut values = self.values.iter();
        pairs::may_be_secret(&self.name) && values.any(|pair| is_secret_pair(&self.name, pair))
    }
}

fn provider(value: &Spanned<DeValue<'_>>) -> Result<&'static Provider, String> {
    let name = value
        .get_ref()
        .as_str()
        .ok_or("provider: expected a text")?;
    names::provider(name).ok_or_else(|| {
        jwt_bearer::provider::unsupported(name).map_or_else(
            || {
                let names = PROVIDERS.iter().map(|provider| provider.name);
                format!(
                    "there is no provider {}{}",
                    shown(name),
                    nearest(name, names)
                )
            },
            str::to_owned,
        )
    })
}

/// Returns the values of an option, as they are written on the command line. An error says what is expected.
fn values(
    setting: Option<&Setting>,
    value: &Spanned<DeValue<'_>>,
) -> Result<Vec<String>, &'static str> {
    match value.get_ref() {
        DeValue::Array(elements) => {
            let values = elements.iter().map(|element| scalar(element.get_ref()));
            values.collect()
        }
        DeValue::Table(pairs) => {
            let Some(SettingValue::Pair { is_json, .. }) = setting.map(|setting| setting.value)
            else {
                return Err("a text, a number, true, false or a list of texts");
            };
            let pairs = pairs.iter().map(|(name, value)| {
                if name.get_ref().is_empty() || name.get_ref().contains('=') {
                    return Err("names without =");
                }
                let value = match is_json {
                    true => json(value.get_ref())?.to_string(),
                    false => scalar(value.get_ref())?,
                };
                Ok([name.get_ref(), "=", &value].concat())
            });
            pairs.collect()
        }
        value => scalar(value).map(|value| vec![value]),
    }
}

fn scalar(value: &DeValue<'_>) -> Result<String, &'static str> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        DeValue::Boolean(true) => Ok("yes".to_owned()),
        DeValue::Boolean(false) => Ok("no".to_owned()),
        _ => Err("a text, a whole number, true or false"),
    }
}

fn json(value: &DeValue<'_>) -> Result<Value, &'static str> {
    let number = |text: &str| {
        serde_json::from_str(text.trim_start_matches('+')).map_err(|_| "a decimal number")
    };
    Ok(match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(value) => Value::from(*value),
        DeValue::Integer(value) if value.radix() == 10 => number(value.as_str())?,
        DeValue::Integer(_) => return Err("a decimal number"),
        DeValue::Float(value) => number(value.as_str())?,
        DeValue::Datetime(_) => return Err("a text or a number in place of a date"),
        DeValue::Array(elements) => {
            let elements = elements.iter().map(|element| json(element.get_ref()));
            Value::Array(elements.collect::<Result<_, _>>()?)
        }
        DeValue::Table(members) => {
            let members = members
                .iter()
                .map(|(name, value)| Ok((name.get_ref().to_string(), json(value.get_ref())?)));
            Value::Object(members.collect::<Result<_, &'static str>>()?)
        }
    })
}

/// Returns a pair; a file that its value names is placed below a directory.
fn below(directory: &Path, pair: String) -> String {
    let Some((name, value)) = pair.split_once('=') else {
        return pair;
    };
    match value.strip_prefix('@') {
        Some(file) if !file.starts_with(['@', '-']) && !file.starts_with(files::ENV) => {
            format!("{name}=@{}", directory.join(file).display())
        }
        _ => pair,
    }
}

/// Reads the file, up to the largest length.
fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    let file = fs::File::open(path)?;
    file.take(MAX_BYTES.saturating_add(1))
        .read_to_end(&mut bytes)?;
    match u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_BYTES) {
        true => Ok(bytes),
        false => Err(io::Error::other(
            "this is too long for a configuration file",
        )),
    }
}

/// Returns whether the file's mode has one of these bits.
#[cfg(unix)]
fn has_mode(path: &Path, bits: u32) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(path);
    metadata.is_ok_and(|metadata| metadata.permissions().mode() & bits != 0)
}

/// The standard library cannot read access control lists.
#[cfg(not(unix))]
fn has_mode(_: &Path, _: u32) -> bool {
    false
}
