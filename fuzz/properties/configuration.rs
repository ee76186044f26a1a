//! The configuration file of the command line: `connections.rs`.

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs, process};

use jwt_bearer::provider::{PROVIDERS, unsupported};
use jwt_bearer::{SETTINGS, SettingValue};
use serde_json::{Map, Value};

use crate::connections::{CREDENTIALS, Connection, ConnectionOption, Connections};
use crate::{QUOTE_LEN, assert_not_quoted, is_invisible};

/// Reads `file` as the configuration, and compares it with what the crate `basic-toml` reads.
pub fn configuration(file: &[u8]) {
    let path = env::temp_dir().join(format!("jwt-bearer-fuzz-{}.toml", process::id()));
    fs::write(&path, file).unwrap();
    let read = Connections::read(Some(path.clone()));
    fs::remove_file(&path).unwrap();

    let text = std::str::from_utf8(file).ok();
    let text = text.map(|text| text.strip_prefix('\u{feff}').unwrap_or(text));
    let again: Option<Map<String, Value>> = text.and_then(|text| basic_toml::from_str(text).ok());
    match read {
        Ok(read) => {
            let text = text.expect("a file that is no text was accepted");
            let all: Vec<_> = read.iter().collect();
            assert!(all.is_sorted_by_key(|connection| connection.line));
            let lines: Vec<_> = text.split('\n').collect();
            for connection in &all {
                assert_connection(connection, &lines);
                if let Some(problem) = &connection.provider_problem {
                    assert_hidden(problem, file, again.clone());
                }
                assert!(std::ptr::eq(
                    read.named(&connection.name).unwrap(),
                    *connection
                ));
            }
            if let Some(again) = again {
                assert_eq!(all.len(), again.len());
                let directory = path.parent().unwrap();
                all.iter()
                    .for_each(|connection| assert_same(connection, &again, directory));
            }
        }
        Err(failure) => {
            let message = failure.0;
            let text = text.unwrap_or_default();
            assert_place(&message, &path, text);
            assert_hidden(
                &message.replace(&path.display().to_string(), " "),
                file,
                again,
            );
        }
    }
}

fn assert_connection(connection: &Connection, lines: &[&str]) {
    let name = &connection.name;
    assert!(!name.is_empty() && !name.starts_with('-'));
    assert!(
        !name.contains(is_invisible) && !name.contains(char::is_whitespace),
        "{name:?}"
    );
    assert!(!["help", CREDENTIALS].contains(&&**name));
    assert_line(name, connection.line, lines);
    let is_named = connection.provider_line.is_some();
    let (provider, problem) = (&connection.provider, &connection.provider_problem);
    assert!(!(provider.is_some() && problem.is_some()));
    assert_eq!(is_named, provider.is_some() || problem.is_some());
    if let Some(line) = connection.provider_line {
        assert_line("provider", line, lines);
    }
    assert!(connection.options.is_sorted_by_key(|option| option.line));
    for option in &connection.options {
        assert_ne!(option.name, "provider");
        assert_line(&option.name, option.line, lines);
    }
}

/// Panics unless a name is on a line, as it is or with escapes.
fn assert_line(name: &str, line: usize, lines: &[&str]) {
    let line = lines[line - 1];
    assert!(
        line.contains(name) || line.contains('\\'),
        "{name:?} {line:?}"
    );
}

fn assert_same(connection: &Connection, again: &Map<String, Value>, directory: &Path) {
    let mut members = again[&connection.name].as_object().unwrap().clone();
    let provider = members.remove("provider");
    let named = provider.as_ref().and_then(Value::as_str);
    match connection.provider_problem {
        None => assert_eq!(named, connection.provider.map(|provider| provider.name)),
        Some(_) => assert!(!PROVIDERS.iter().any(|known| Some(known.name) == named)),
    }
    assert_eq!(connection.options.len(), members.len());
    for ConnectionOption { name, values, .. } in &connection.options {
        let setting = SETTINGS.iter().find(|setting| setting.name == name);
        let value = setting.map(|setting| setting.value);
        let may_be_secret = matches!(
            value,
            Some(SettingValue::Pair {
                may_be_secret: true,
                ..
            })
        );
        let is_json = matches!(value, Some(SettingValue::Pair { is_json: true, .. }));
        let expected = match &members[name] {
            Value::Array(all) => all.iter().map(|value| (None, value)).collect(),
            Value::Object(all) => {
                assert!(matches!(value, Some(SettingValue::Pair { .. })), "{name}");
                all.iter()
                    .map(|(name, value)| (Some(name), value))
                    .collect()
            }
            value => vec![(None, value)],
        };
        assert_eq!(values.len(), expected.len());
        for (key, value) in expected {
            // The tables of a file have no order.
            let is_same = |text: &&String| {
                let text = match may_be_secret.then(|| text.split_once("=@")).flatten() {
                    Some((name, file)) if !name.contains('=') => {
                        let directory = format!("{}/", directory.display());
                        format!("{name}=@{}", file.strip_prefix(&directory).unwrap_or(file))
                    }
                    _ => (*text).clone(),
                };
                match key {
                    None => is_scalar(&text, value),
                    Some(key) => {
                        let text = text.strip_prefix(key.as_str());
                        text.and_then(|text| text.strip_prefix('='))
                            .is_some_and(|text| match is_json {
                                true => serde_json::from_str::<Value>(text)
                                    .is_ok_and(|read| is_equal(&read, value)),
                                false => is_scalar(text, value),
                            })
                    }
                }
            };
            assert!(
                values.iter().any(|text| is_same(&text)),
                "{name}: {value} {values:?}"
            );
        }
    }
}

fn is_scalar(text: &str, value: &Value) -> bool {
    match value {
        Value::String(value) => text == value,
        Value::Bool(value) => text == if *value { "yes" } else { "no" },
        // A number may be written with a sign, and with underscores.
        Value::Number(value) => text.parse::<i64>().ok() == value.as_i64(),
        _ => false,
    }
}

/// Returns whether two values are the same. Numbers may differ as much as floats do.
fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| is_equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, one)| other.get(name).is_some_and(|other| is_equal(one, other)))
        }
        (one, other) => one == other,
    }
}

/// Panics unless a message begins with the file, and with a line of it if the file is text.
fn assert_place(message: &str, path: &Path, text: &str) {
    let rest = message.strip_prefix(&*path.display().to_string());
    let rest = rest.and_then(|rest| rest.strip_prefix(':')).unwrap();
    if let Some((line, message)) = rest.split_once(": ") {
        let line: usize = line.parse().unwrap();
        assert!((1..=text.split('\n').count()).contains(&line), "{line}");
        assert!(!message.is_empty());
    }
    assert!(rest.chars().count() < 512, "{rest}");
}

/// Panics if a message quotes more of the file than names: a value may be a secret.
fn assert_hidden(message: &str, file: &[u8], again: Option<Map<String, Value>>) {
    let ours = PROVIDERS.iter().map(|provider| provider.name);
    let ours = ours.chain(SETTINGS.iter().map(|setting| setting.name));
    let reasons = ["adobe", "helseid", "irs"]
        .into_iter()
        .filter_map(unsupported);
    let mut ours: Vec<_> = ours.chain(reasons).collect();
    ours.sort_by_key(|text| std::cmp::Reverse(text.len()));
    let message = ours
        .iter()
        .fold(message.to_owned(), |text, ours| text.replace(ours, " "));

    let is_name = |b: &u8| b.is_ascii_lowercase() || matches!(b, b'-' | b'_');
    let runs: BTreeSet<_> = file.windows(QUOTE_LEN).collect();
    for run in message.as_bytes().windows(QUOTE_LEN) {
        let is_solid = !run.iter().any(u8::is_ascii_whitespace);
        let is_quoted = is_solid && !run.iter().all(is_name) && runs.contains(run);
        assert!(!is_quoted, "{:?} is quoted", String::from_utf8_lossy(run));
    }
    // Only short names are shown.
    let longest = message
        .as_bytes()
        .split(|b| !is_name(b))
        .map(<[u8]>::len)
        .max();
    assert!(longest <= Some(32), "{message}");

    let Some(again) = again else { return };
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for (name, value) in &again {
        names.push(name.as_str());
        for (key, value) in value.as_object().into_iter().flatten() {
            names.push(key);
            match value.as_str().filter(|_| key == "provider") {
                Some(provider) => names.push(provider),
                None => texts(value, &mut values),
            }
        }
    }
    let is_no_name = |value: &&&str| {
        let mut runs = value.as_bytes().windows(QUOTE_LEN);
        !runs.any(|run| {
            names
                .iter()
                .any(|name| name.as_bytes().windows(QUOTE_LEN).any(|other| other == run))
        })
    };
    values
        .iter()
        .filter(is_no_name)
        .for_each(|value| assert_not_quoted(&message, value));
}

fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(all) => all.iter().for_each(|value| texts(value, found)),
        Value::Object(all) => all.values().for_each(|value| texts(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
