//! A token in the form that the user asked for.

use std::collections::BTreeMap;

use clap::ValueEnum;
use jwt_bearer::AccessToken;
use serde_json::{Value, json};

use crate::json_text::without_whitespace;
use crate::shell;
use crate::times::{rfc3339, unix};

/// The variable of the token unless the user names another.
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
                    "expirationTimestamp": rfc3339(unix(token.expires_at())),
                },
            });
            credential.to_string()
        }
        Format::Json => {
            let expires_at = unix(token.expires_at());
            // The members keep their JSON: a number may have more digits than any type here.
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

fn json_string(text: &str) -> String {
    Value::from(text).to_string()
}
