//! Finds the server's reason in an error response of any shape.
//!
//! RFC 6749 §5.2 has `error` and `error_description`. Servers and the gateways in front of them write a dozen other
//! shapes, which are rows of two tables here.

use zeroize::Zeroizing;

use crate::json::{self, JsonObject};
use crate::message::Response;
use crate::profile::response::ResponseMap;

/// Where a code is found: JSON Pointers (RFC 6901), in this order.
const CODES: &[&str] = &[
    "/error",
    "/error/status", // Google's APIs
    "/error/type",   // Facebook, ServiceNow
    "/error/code",
    "/code",                   // Nimbus
    "/errorCode",              // Okta
    "/ErrorCode",              // Apigee
    "/fault/detail/errorcode", // Apigee
    "/errors/0/code",
];

/// Where a description is found: JSON Pointers (RFC 6901), in this order.
const DESCRIPTIONS: &[&str] = &[
    "/error_description",
    "/error_description/0",
    "/error/message",
    "/error/description",
    "/message",
    "/description",  // Nimbus
    "/detail",       // RFC 9457 §3.1.4
    "/errorSummary", // Okta
    "/errorMessage",
    "/fault/faultstring", // Apigee
    "/Error",             // Apigee
    "/errors/0/message",
    "/errors/0/detail",
    "/errors/0",
    "/title", // RFC 9457 §3.1.3
];

/// Why a server refused.
#[derive(Default)]
pub(crate) struct Reason {
    pub(crate) code: Option<Zeroizing<String>>,
    pub(crate) description: Option<Zeroizing<String>>,
}

impl Reason {
    /// Reads the body, starting with the members that the server is known for. What the body does not say is read from
    /// the challenges in `WWW-Authenticate` (RFC 6750 §3).
    pub(crate) fn of(response: &Response, body: Option<&JsonObject>, map: &ResponseMap) -> Self {
        let is_challenge = |name: &str| name.eq_ignore_ascii_case("WWW-Authenticate");
        let challenges = response.headers().filter(|(name, _)| is_challenge(name));
        let challenges: Vec<_> = challenges.map(|(_, value)| value).collect();
        let challenge = |name| challenges.iter().find_map(|text| auth_param(text, name));
        let first =
            |pointers: &[&str]| pointers.iter().find_map(|pointer| body?.find_text(pointer));
        let own = |member: &str| body?.find(member).and_then(text_or_integer);
        let more = body.and_then(|body| body.text("hint")); // of league/oauth2-server
        let own_description = map.error_description_member.as_deref().and_then(own);
        let description = match (own_description.or_else(|| first(DESCRIPTIONS)), more) {
            (Some(text), Some(more)) => Some(Zeroizing::new([&*text, " ", &*more].concat())),
            (text, more) => text.or(more),
        };
        Self {
            code: own(&map.error_member)
                .or_else(|| first(CODES))
                .or_else(|| challenge("error")),
            description: description.or_else(|| challenge("error_description")),
        }
    }

    pub(crate) fn code(&self) -> &str {
        self.code.as_deref().map_or("", String::as_str)
    }

    pub(crate) fn description(&self) -> &str {
        self.description.as_deref().map_or("", String::as_str)
    }
}

/// Returns a text that is not empty, or the digits of an integer: some servers number their errors.
fn text_or_integer(json: &str) -> Option<Zeroizing<String>> {
    let digits = json.strip_prefix('-').unwrap_or(json);
    let is_integer = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let text = match is_integer {
        true => Some(json.to_owned().into()),
        false => json::decode_string(json),
    };
    text.filter(|text| !text.is_empty())
}

/// Returns a parameter (`auth-param`) of the challenges in a field: a token or a quoted text (RFC 9110 §11.2).
fn auth_param(field: &str, name: &str) -> Option<Zeroizing<String>> {
    let mut rest = field;
    while let Some((before, after)) = rest.split_once('=') {
        let (value, next) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => {
                let mut is_escaped = false;
                let is_end = |c: char| {
                    let is_end = c == '"' && !is_escaped;
                    is_escaped = c == '\\' && !is_escaped;
                    is_end
                };
                quoted.split_once(is_end)?
            }
            None => {
                let after = after.trim_start();
                after.split_at(after.find([' ', '\t', ',', '=']).unwrap_or(after.len()))
            }
        };
        let before = before.trim_end();
        let found = before.rsplit([' ', '\t', ',']).next();
        if found.is_some_and(|found| found.eq_ignore_ascii_case(name)) && !value.is_empty() {
            return Some(unquoted(value));
        }
        rest = next;
    }
    None
}

/// Returns a quoted text without the backslashes before quoted characters (RFC 9110 §5.6.4).
fn unquoted(text: &str) -> Zeroizing<String> {
    let mut unquoted = Zeroizing::new(String::with_capacity(text.len()));
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        unquoted.extend(match c {
            '\\' => characters.next(),
            c => Some(c),
        });
    }
    unquoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(body: &str, challenge: &str) -> (String, String) {
        let response = Response::new(400, body).with_header("WWW-Authenticate", challenge);
        let reason = Reason::of(&response, response.json().as_ref(), &ResponseMap::default());
        (reason.code().to_owned(), reason.description().to_owned())
    }

    #[test]
    fn reason_is_read_in_every_shape() {
        for (body, code, description) in [
            (r#"{"error":"c","error_description":"d"}"#, "c", "d"),
            (
                r#"{"error":{"code":403,"message":"d","status":"C"}}"#,
                "C",
                "d",
            ),
            (r#"{"error":{"message":"d","type":"C","code":1}}"#, "C", "d"),
            (r#"{"error":"c","error_description":["d"]}"#, "c", "d"),
            (
                r#"{"error":"c","error_description":"d","hint":"h"}"#,
                "c",
                "d h",
            ),
            (r#"{"error":"c","hint":"h"}"#, "c", "h"),
            (r#"{"code":"c","description":"d","uri":null}"#, "c", "d"),
            (r#"{"code":"c","message":"d"}"#, "c", "d"),
            (
                r#"{"errorCode":"c","errorSummary":"d","errorCauses":[]}"#,
                "c",
                "d",
            ),
            (
                r#"{"type":"about:blank","title":"t","status":400,"detail":"d"}"#,
                "",
                "d",
            ),
            (
                r#"{"type":"about:blank","title":"t","status":400}"#,
                "",
                "t",
            ),
            (
                r#"{"fault":{"faultstring":"d","detail":{"errorcode":"c"}}}"#,
                "c",
                "d",
            ),
            (r#"{"ErrorCode":"c","Error":"d"}"#, "c", "d"),
            (r#"{"errors":[{"code":"c","detail":"d"}]}"#, "c", "d"),
            (r#"{"errors":["d"]}"#, "", "d"),
            (r#"[{"message":"d","errorCode":"c"}]"#, "c", "d"),
            ("{}", "", ""),
        ] {
            assert_eq!(
                reason(body, ""),
                (code.to_owned(), description.to_owned()),
                "{body}"
            );
        }
    }

    #[test]
    fn reason_of_a_challenge_counts_where_the_body_says_nothing() {
        let challenge = r#"Bearer realm="r", error="c", error_description="d, e""#;
        assert_eq!(reason("", challenge), ("c".to_owned(), "d, e".to_owned()));
        for (body, challenge, code, description) in [
            ("", "Basic", "", ""),
            ("", "Bearer error=\"c", "", ""),
            ("", "Bearer error=c", "c", ""),
            ("", "Bearer error=c, error_description=d", "c", "d"),
            ("", "Bearer error = c,error_description = \"d\"", "c", "d"),
            ("", "Bearer realm=\"error=x\", error=c", "c", ""),
            ("", "Negotiate abc==, Bearer error=\"c\"", "c", ""),
            ("", "Bearer error=, x_error=\"x\"", "", ""),
            (r#"{"status":401}"#, "Bearer error=c", "c", ""),
            (r#"{"error":"b"}"#, challenge, "b", "d, e"),
            (r#"{"message":"b"}"#, challenge, "c", "b"),
        ] {
            let expected = (code.to_owned(), description.to_owned());
            assert_eq!(reason(body, challenge), expected, "{body} {challenge}");
        }
    }

    #[test]
    fn reason_is_read_in_every_challenge() {
        let response = Response::new(401, "")
            .with_header("WWW-Authenticate", "Basic realm=\"r\"")
            .with_header("www-authenticate", "Bearer error=\"c\"")
            .with_header("WWW-Authenticate", "DPoP error_description=\"d\"");
        let reason = Reason::of(&response, None, &ResponseMap::default());
        assert_eq!((reason.code(), reason.description()), ("c", "d"));
    }

    #[test]
    fn challenge_has_quoted_characters_and_names_in_any_case() {
        let challenge =
            r#"Bearer Error="invalid_token", ERROR_DESCRIPTION="the \"aud\" is \\ wrong""#;
        let (code, description) = reason("", challenge);
        assert_eq!(
            (&*code, &*description),
            ("invalid_token", r#"the "aud" is \ wrong"#)
        );
    }
}
