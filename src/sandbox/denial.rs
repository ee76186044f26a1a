//! How a server refuses a request: status, code and words, and the format of the body.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::refusal::Refusal;
use super::state::State;

/// The error response to a refused request, before it is put into the server's format.
pub(super) struct Denial {
    pub(super) status: u16,
    pub(super) code: &'static str,
    /// What the server writes. If no document shows its words, they are the sandbox's own.
    pub(super) words: Cow<'static, str>,
}

pub(super) fn denial(
    status: u16,
    code: &'static str,
    words: impl Into<Cow<'static, str>>,
) -> Denial {
    Denial {
        status,
        code,
        words: words.into(),
    }
}

/// The codes of RFC 6749 §5.2. `code` is the one for a wrong assertion.
pub(super) fn oauth_denial(refusal: &Refusal, status: u16, code: &'static str) -> Denial {
    let (status, code) = match refusal {
        Refusal::Parameter("grant_type") => (400, "unsupported_grant_type"),
        Refusal::Parameter(_)
        | Refusal::RequestHeader(_)
        | Refusal::DuplicateParameter
        | Refusal::NotJson => (400, "invalid_request"),
        Refusal::Scope(_) | Refusal::DelegatedScope(_) => (400, "invalid_scope"),
        Refusal::Secret => (401, "invalid_client"),
        Refusal::Denied(code) => (400, *code),
        _ => (status, code),
    };
    denial(status, code, refusal.to_string())
}

/// The error response of RFC 6749 §5.2. Without words there is no description.
pub(super) fn oauth_error(_: &State, denial: &Denial) -> Value {
    match denial.words.is_empty() {
        true => json!({ "error": denial.code }),
        false => json!({ "error": denial.code, "error_description": denial.words }),
    }
}

/// An error response with a message but no code.
pub(super) fn message(_: &State, denial: &Denial) -> Value {
    json!({ "message": denial.words })
}
