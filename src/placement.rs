//! Writes parameters into a request that has not been sent: as a form, a JSON object or a query.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_encode};
use zeroize::Zeroizing;

use crate::json::{self, JsonWriter};
use crate::message::Request;
use crate::url::Url;

/// RFC 3986 §2.3: everything but the unreserved characters is encoded, so a JWT passes as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// The length of one percent-encoded byte.
const PERCENT_ENCODED: usize = "%0A".len();

/// The most names in a JSON Pointer: no server nests a request deeper, and writing one is recursive.
const MAX_DEPTH: usize = 32;

/// A parameter of a token request.
#[derive(Clone, Copy)]
pub(crate) struct Parameter<'a> {
    /// In a JSON body it may be a JSON Pointer (RFC 6901): `/a/b` is the member `b` of the object `a`.
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
    /// Whether the value is JSON rather than a text.
    pub(crate) is_json: bool,
}

/// Where a token request carries its parameters: its method, and what writes them.
///
/// Each value is a constant, so that a program contains only the code of those that it names.
#[derive(Clone, Copy)]
pub struct Placement {
    name: &'static str,
    write: fn(&Url, &[Parameter<'_>]) -> Result<Request, &'static str>,
    /// As [`Placement::conflict`].
    conflict: fn(&mut dyn Iterator<Item = &str>) -> Option<String>,
}

impl Placement {
    /// A form body (RFC 6749 §4.4.2). Without parameters there is no body.
    pub const FORM: Self = Self {
        name: "form",
        conflict: |_| None,
        write: |url, parameters| {
            let body = form(parameters);
            Ok(Request::post(
                url.clone(),
                "application/x-www-form-urlencoded",
                body,
            ))
        },
    };
    /// One JSON object. A parameter whose name is a JSON Pointer (RFC 6901), such as `/credentials/jwt`, becomes a
    /// nested member. Without parameters there is no body.
    pub const JSON: Self = Self {
        name: "json",
        conflict: conflicting_pointer,
        write: |url, parameters| {
            let body = match parameters.is_empty() {
                true => Zeroizing::default(),
                false => json_object(parameters),
            };
            Ok(Request::post(url.clone(), "application/json", body))
        },
    };
    /// The query of a `POST` with an empty body. The assertion then appears in the logs of proxies
    /// and servers, and in ureq's log at level `trace`.
    pub const QUERY: Self = Self {
        name: "query",
        conflict: |_| None,
        write: |url, parameters| {
            Ok(Request::post(
                with_query(url, parameters)?,
                "",
                Zeroizing::default(),
            ))
        },
    };
    /// The query of a `GET`. An assertion among the parameters appears in logs, as with
    /// [`QUERY`](Self::QUERY).
    pub const GET: Self = Self {
        name: "get",
        conflict: |_| None,
        write: |url, parameters| Ok(Request::get(with_query(url, parameters)?)),
    };

    /// Returns `form`, `json`, `query` or `get`.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Returns what an error calls a parameter that cannot be sent together with others of these names, if there is
    /// one: its name, or `with N names` for a JSON Pointer that is nested too deeply.
    pub(crate) fn conflict(self, names: &mut dyn Iterator<Item = &str>) -> Option<String> {
        (self.conflict)(names)
    }

    /// Writes the request, or says what is wrong with its URL.
    pub(crate) fn write(
        self,
        url: &Url,
        parameters: &[Parameter<'_>],
    ) -> Result<Request, &'static str> {
        (self.write)(url, parameters)
    }
}

impl PartialEq for Placement {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Placement {}

impl fmt::Debug for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Returns a text as it is encoded in a form.
pub(crate) fn form_encoded(text: &str) -> PercentEncode<'_> {
    percent_encode(text.as_bytes(), RESERVED)
}

fn with_query(url: &Url, parameters: &[Parameter<'_>]) -> Result<Url, &'static str> {
    let form = form(parameters);
    match std::str::from_utf8(&form).map_err(|_| "is not text")? {
        "" => Ok(url.clone()),
        query => url.with_query(query),
    }
}

fn form(parameters: &[Parameter<'_>]) -> Zeroizing<Vec<u8>> {
    let mut body = Zeroizing::new(Vec::with_capacity(capacity(parameters, PERCENT_ENCODED)));
    let encode = |text: &str, body: &mut Vec<u8>| {
        form_encoded(text).for_each(|piece| body.extend_from_slice(piece.as_bytes()));
    };
    for Parameter { name, value, .. } in parameters {
        if !body.is_empty() {
            body.push(b'&');
        }
        encode(name, &mut body);
        body.push(b'=');
        encode(value, &mut body);
    }
    body
}

fn json_object(parameters: &[Parameter<'_>]) -> Zeroizing<Vec<u8>> {
    let mut writer = JsonWriter::with_capacity(capacity(parameters, json::LONGEST_ESCAPE));
    let paths: Vec<_> = parameters
        .iter()
        .map(|parameter| json::path(parameter.name))
        .collect();
    let members: Vec<_> = paths.iter().map(Vec::as_slice).zip(parameters).collect();
    write_members(&mut writer, &members);
    writer.finish()
}

/// Writes members in their order, but those of one object together.
fn write_members(writer: &mut JsonWriter, members: &[(&[Cow<'_, str>], &Parameter<'_>)]) {
    for (n, (path, parameter)) in members.iter().enumerate() {
        let Some((name, rest)) = path.split_first() else {
            continue;
        };
        let is_named = |(path, _): &&(&[Cow<'_, str>], &Parameter<'_>)| path.first() == Some(name);
        if members.iter().take(n).any(|member| is_named(&member)) {
            continue; // it is in an object that is written
        }
        match (rest.is_empty(), parameter.is_json) {
            (true, true) => writer.json(name, parameter.value),
            (true, false) => writer.text(name, Some(parameter.value)),
            (false, _) => {
                let inner = members.iter().filter(is_named);
                let inner: Vec<_> = inner
                    .map(|(path, parameter)| (path.get(1..).unwrap_or_default(), *parameter))
                    .collect();
                writer.nested(name, |writer| write_members(writer, &inner));
            }
        }
    }
}

/// Returns the name of a member that is set twice or is inside one that is not an object, or the number of names in a
/// pointer that is nested too deeply.
fn conflicting_pointer(names: &mut dyn Iterator<Item = &str>) -> Option<String> {
    let mut paths: Vec<_> = names.map(json::path).collect();
    if let Some(deep) = paths.iter().find(|path| path.len() > MAX_DEPTH) {
        return Some(format!("with {} names", deep.len()));
    }
    paths.sort();
    let mut pairs = paths.iter().zip(paths.iter().skip(1));
    let (_, conflict) = pairs.find(|(one, next)| next.starts_with(one))?;
    Some(conflict.join("/"))
}

fn capacity(parameters: &[Parameter<'_>], longest: usize) -> usize {
    json::capacity(parameters.iter().map(|p| (p.name, p.value)), longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_written_in_one_allocation() {
        let long = "\u{1f}".repeat(1000);
        let nested = "/a/b/c/d/e";
        let parameters: [&[(&str, &str)]; 3] = [
            &[("a", "b")],
            &[(&long, &long), ("\u{1f}", ""), ("", &long)],
            &[(nested, &long), ("/a/b/f", "g"), ("/a/h", "i"), ("j", "k")],
        ];
        for parameters in parameters {
            let parameters = parameters.iter().map(|(name, value)| Parameter {
                name,
                value,
                is_json: false,
            });
            let parameters: Vec<_> = parameters.collect();
            let form = form(&parameters);
            assert_eq!(form.capacity(), capacity(&parameters, PERCENT_ENCODED));
            let json = json_object(&parameters);
            assert_eq!(json.capacity(), capacity(&parameters, json::LONGEST_ESCAPE));
        }
    }

    #[test]
    fn json_parameters_are_members_at_their_pointers() {
        let text = |name, value| Parameter {
            name,
            value,
            is_json: false,
        };
        let json = |name, value| Parameter {
            name,
            value,
            is_json: true,
        };
        let parameters = [
            text("/credentials/jwt", "e.y.J"),
            json("n", "[1,true]"),
            text("/credentials/site/contentUrl", "\""),
            text("/a~1b", "c"),
        ];
        let written = json_object(&parameters);
        assert_eq!(
            String::from_utf8_lossy(&written),
            r#"{"credentials":{"jwt":"e.y.J","site":{"contentUrl":"\""}},"n":[1,true],"a/b":"c"}"#
        );
    }
}
