//! A token in the form that the user asked for.

use std::collections::BTreeMap;
use std::time::SystemTime;

use clap::ValueEnum;
use jwt_bearer::AccessToken;
use serde_json::{Value, json};

use crate::json_text::without_whitespace;
use crate::shell;

/// The variable of a token that nobody named.
pub(crate) const VARIABLE: &str = "ACCESS_TOKEN";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The token alone.
    Token,
    /// The header that an API wants: `Authorization: Bearer ...`
    Header,
    /// The token, its type, `expires_at` in Unix seconds, the scope, and the response's other members.
    Json,
    /// A line for a shell to evaluate: `export ACCESS_TOKEN='...'`
    Env,
    /// What kubectl reads from a credential plugin: an ExecCredential of client.authentication.k8s.io/v1.
    ExecCredential,
}

/// Returns the token as the user asked to see it. `variable` is the name for a shell.
pub(crate) fn format_token(token: &AccessToken, format: Format, variable: &str) -> String {
    match format {
        Format::Token => token.secret().to_owned(),
        Format::Header => format!("{}: {}", token.header_name(), token.authorization()),
        Format::Env => format!("export {variable}={}", shell::quoted(token.secret())),
        Format::ExecCredential => {
            let credential = json!({
                "apiVersion": "client.authentication.k8s.io/v1",
                "kind": "ExecCredential",
                "status": {
                    "token": token.secret(),
                    "expirationTimestamp": rfc3339(token.expires_at()),
                },
            });
            credential.to_string()
        }
        Format::Json => {
            let expires_at = token.expires_at().duration_since(SystemTime::UNIX_EPOCH);
            let expires_at = expires_at.unwrap_or_default().as_secs();
            // The members stay the JSON that they are: a number may have more digits than any type here.
            let mut members: BTreeMap<&str, String> = token
                .members()
                .filter_map(|(name, _)| Some((name, without_whitespace(token.json(name)?))))
                .collect();
            members.remove("expires_in");
            members.insert("access_token", json_string(token.secret()));
            if token.authorization().starts_with("Bearer ") {
                members.insert("token_type", json_string("Bearer"));
            }
            members.insert("expires_at", expires_at.to_string());
            members.extend(token.scope().map(|scope| ("scope", json_string(scope))));
            let members = members
                .iter()
                .map(|(name, json)| format!("{}:{json}", json_string(name)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
    }
}

/// Returns a time in UTC as RFC 3339 has it, in whole seconds.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    const MONTHS: &str = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
    let date = httpdate::fmt_http_date(time); // knows the calendar: `Sun, 06 Nov 1994 08:49:37 GMT`
    let mut parts = date.split(' ').skip(1);
    let mut next = || parts.next().unwrap_or_default();
    let (day, month, year, clock) = (next(), next(), next(), next());
    let month = MONTHS.split(' ').position(|name| name == month);
    let month = month.unwrap_or_default().saturating_add(1);
    format!("{year}-{month:02}-{day}T{clock}Z")
}

fn json_string(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The seconds are those that `date -u -d TEXT +%s` prints.
    #[test]
    fn rfc3339_is_utc_in_whole_seconds() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_520_271_020, "2018-03-05T17:30:20Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
        ] {
            let time = SystemTime::UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 999);
            assert_eq!(rfc3339(time), text);
        }
    }
}
