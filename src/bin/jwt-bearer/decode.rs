//! The `decode` command: what is in a JWT, with times in words, and whether its signature is verified.
//!
//! Standard output has only the JSON. Its content is not trusted: nothing in it reaches a terminal unescaped.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::files::read;
use crate::json_text::{indented, without_whitespace};
use crate::jwt::{Body, Jwt, is_token};
use crate::messages::{escape_invisible, print_message, print_note};
use crate::options::SecretEncoding;
use crate::output::print_to_stdout;
use crate::times::{now, relative, span, utc};
use crate::verification::Keys;

/// Claims that are times (RFC 7519 §4.1, OpenID Connect Core §2).
const TIMES: &[&str] = &["iat", "auth_time", "nbf", "exp"];
/// A later time is in milliseconds: as seconds it would be in the year 5138.
const LAST_SECOND: f64 = 1e11;

#[derive(Args)]
pub(crate) struct DecodeArguments {
    /// The file of the token, also with `Bearer` in front [default: standard input]
    #[arg(value_name = "FILE", allow_hyphen_values = true)]
    file: Option<PathBuf>,
    /// Checks the signature with this key: private or public, or a certificate.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true, group = "check")]
    key: Option<PathBuf>,
    /// Checks the signature with the key of this JWK set that the token names.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true, group = "check")]
    jwks: Option<PathBuf>,
    /// Checks the signature with this shared secret. One line end at the end of a text is dropped.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true, group = "check")]
    secret: Option<PathBuf>,
    /// How the secret is written in its file.
    #[arg(long, value_name = "ENCODING", value_enum, default_value_t = SecretEncoding::Text, requires = "secret")]
    secret_encoding: SecretEncoding,
    /// The passphrase of an encrypted key.
    #[arg(
        long,
        value_name = "FILE",
        allow_hyphen_values = true,
        requires = "key"
    )]
    passphrase_file: Option<PathBuf>,
}

/// Prints the parts of the token, and checks its signature with the given key.
///
/// # Errors
/// If there is no token, or the given key does not verify its signature.
pub(crate) fn run(arguments: &DecodeArguments) -> Result<(), Failure> {
    let file = arguments.file.as_deref().unwrap_or(Path::new("-"));
    // Other users of this machine can see the arguments in the process list.
    if is_token(&file.to_string_lossy()) && !file.exists() {
        return Err(Failure::usage(
            "a token is a secret, and never an argument: pipe it to jwt-bearer decode, or name the file that it is in",
        ));
    }
    if file == Path::new("-") && io::stdin().is_terminal() {
        print_note("paste the token, then press Enter and Ctrl-D");
    }
    let bytes = read("FILE", file)?;
    let jwt = Jwt::parse(&bytes).map_err(|why| match file == Path::new("-") {
        true => Failure::protocol(format!("standard input: {why}")),
        false => Failure::protocol(format!("{}: {why}", file.display())),
    })?;
    let keys = keys(arguments)?; // a file that cannot be read comes before the token
    print_to_stdout(&shown(&jwt))?;
    for oddity in &jwt.oddities {
        print_message(oddity);
    }
    if let Body::Claims(claims, _) = &jwt.body {
        times(claims, now());
    }
    let line =
        |text: &str| print_note(format_args!("{:9} {}", "signature", escape_invisible(text)));
    match (keys, &jwt.body) {
        (None, Body::Encrypted) => {
            line(
                "none: this is an encrypted token (JWE), whose claims only its recipient can read",
            );
            Ok(())
        }
        (Some(_), Body::Encrypted) => Err(Failure::denied(
            "this is an encrypted token (JWE): it has no signature that a key could verify, and only its recipient \
             can read its claims",
        )),
        (Some(keys), _) => {
            let verified = keys.verify(&jwt).inspect_err(|_| line("NOT verified"))?;
            line(&verified);
            Ok(())
        }
        (None, _) if jwt.signature.is_empty() => {
            line("NONE: the token is not signed, so that anybody can have written it");
            Ok(())
        }
        (None, _) => {
            line("NOT verified; give --key or --jwks, or --secret for an HMAC");
            Ok(())
        }
    }
}

fn keys(arguments: &DecodeArguments) -> Result<Option<Keys>, Failure> {
    let passphrase = arguments.passphrase_file.as_deref();
    match (&arguments.key, &arguments.jwks, &arguments.secret) {
        (Some(file), ..) => Keys::of_key_file(file, passphrase).map(Some),
        (_, Some(file), _) => Keys::of_jwks_file(file).map(Some),
        (_, _, Some(file)) => Keys::of_secret(file, arguments.secret_encoding).map(Some),
        (None, None, None) => Ok(None),
    }
}

/// Returns header and claims as one JSON object.
fn shown(jwt: &Jwt) -> String {
    let header = format!(r#""header":{}"#, jwt.header_json);
    let object = match &jwt.body {
        Body::Claims(_, claims) => format!(r#"{{{header},"claims":{}}}"#, claims.as_str()),
        Body::Other(bytes) => {
            let (name, text) = match std::str::from_utf8(bytes) {
                Ok(text) => ("payload", text.to_owned()),
                Err(_) => ("payload_base64url", URL_SAFE_NO_PAD.encode(bytes)),
            };
            format!(r#"{{{header},"{name}":{}}}"#, Value::from(text))
        }
        Body::Encrypted => format!("{{{header}}}"),
    };
    indented(&escape_invisible(&without_whitespace(&object)))
}

/// Prints the times among the claims, and how long the token lives.
fn times(claims: &Map<String, Value>, now: i64) {
    let line = |name: &str, text: &str| print_note(format_args!("{name:9} {text}"));
    for name in TIMES {
        if let Some(value) = claims.get(*name) {
            line(name, &time_in_words(name, value, now));
        }
    }
    let seconds = |name| claims.get(name).and_then(seconds);
    let Some(end) = seconds("exp") else {
        line("lifetime", "unlimited: there is no exp");
        return;
    };
    if let Some(start) = seconds("iat").or_else(|| seconds("nbf")) {
        let length = end.abs_diff(start);
        line(
            "lifetime",
            &match end < start {
                true => "none: it ends before it begins".to_owned(),
                false if length < 120 => span(length),
                false => format!("{} ({length} s)", span(length)),
            },
        );
    }
}

fn time_in_words(name: &str, value: &Value, now: i64) -> String {
    let Some(time) = seconds(value) else {
        return match value.as_f64() {
            Some(time) if time > LAST_SECOND => {
                "this looks like milliseconds: times are in seconds (RFC 7519 §2)".to_owned()
            }
            _ => "no time: a number of seconds is wanted (RFC 7519 §2)".to_owned(),
        };
    };
    let is_past = time <= now;
    let state = match name {
        "exp" if is_past => ": EXPIRED",
        "nbf" if !is_past => ": NOT VALID YET",
        "iat" if !is_past => ": in the future, by this machine's clock",
        _ => "",
    };
    format!("{}, {}{state}", utc(time), relative(time, now))
}

/// Returns a time in whole seconds since 1970. It may be a fraction (RFC 7519 §2).
fn seconds(value: &Value) -> Option<i64> {
    let time = value
        .as_f64()
        .filter(|time| (0.0..=LAST_SECOND).contains(time))?;
    value
        .as_i64()
        .or_else(|| time.trunc().to_string().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_absolute_and_from_now() {
        let now = 1_300_819_380;
        for (name, value, words) in [
            (
                "exp",
                Value::from(now),
                "2011-03-22 18:43:00 UTC, now: EXPIRED",
            ),
            (
                "exp",
                Value::from(now + 300),
                "2011-03-22 18:48:00 UTC, in 5 minutes",
            ),
            (
                "nbf",
                Value::from(now + 90),
                "2011-03-22 18:44:30 UTC, in 90 seconds: NOT VALID YET",
            ),
            (
                "iat",
                Value::from(1_300_819_200.5),
                "2011-03-22 18:40:00 UTC, 3 minutes ago",
            ),
            (
                "exp",
                Value::from(now * 1000),
                "this looks like milliseconds: times are in seconds (RFC 7519 §2)",
            ),
            (
                "exp",
                Value::from("1300819380"),
                "no time: a number of seconds is wanted (RFC 7519 §2)",
            ),
        ] {
            assert_eq!(time_in_words(name, &value, now), words);
        }
    }
}
