//! Profile and key to request, response to token; no I/O, no clock.
//!
//! Nothing here knows any server: the profile says which parameter carries the assertion, what goes
//! with it and where. A response is believed only as far as it makes sense (RFC 6749 §5.1, §5.2).

use std::fmt;
use std::io;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use zeroize::Zeroizing;

use crate::endpoint::EndpointKind;
use crate::error::{Error, ErrorKind, ErrorResponse};
use crate::json::JsonObject;
use crate::jwt::{self, Assertion};
use crate::message::{Request, Response};
use crate::profile::hint::hint;
use crate::profile::{MAX_TOKEN_LIFETIME, Placement, Profile};
use crate::redact::redact;
use crate::signer::Signer;
use crate::token::AccessToken;

/// The latest time that is read, in seconds, the year 5138: no token lives longer.
const MAX_SECONDS: f64 = 1e11;

const UNUSABLE_TOKEN: &str =
    "the access_token is empty or holds something other than visible ASCII";

/// One assertion traded for one token, without I/O.
///
/// Reading the response consumes the exchange, so that no assertion is sent twice.
///
/// ```
/// # use jwt_bearer::{Audience, Endpoint, Exchange, HmacKey, Profile, Request, Response};
/// # use std::time::SystemTime;
/// # fn send(request: &Request) -> Response { Response::new(200, r#"{"access_token":"t"}"#) }
/// let endpoint = Endpoint::token("https://as.example.com/token")?;
/// let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
/// let key = HmacKey::new("a secret of at least thirty-two bytes")?;
///
/// let exchange = Exchange::new(&profile, &key, SystemTime::now())?;
/// let response = send(exchange.request());
/// let token = exchange.read(response)?;
/// assert_eq!(token.authorization(), "Bearer t");
/// # Ok::<(), jwt_bearer::Error>(())
/// ```
pub struct Exchange<'p> {
    profile: &'p Profile,
    assertion: Assertion,
    request: Request,
    /// The local time; `iat` and `exp` may go by the server's.
    now: SystemTime,
}

impl<'p> Exchange<'p> {
    /// Signs a new assertion for `profile`, whose token endpoint is known.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) where the profile cannot work, or its endpoint is known by
    /// discovery only; [`Key`](ErrorKind::Key) where the signer fails.
    pub fn new(profile: &'p Profile, signer: &dyn Signer, now: SystemTime) -> Result<Self, Error> {
        Self::with_server_time(profile, signer, now, now)
    }

    /// Signs with `iat` and `exp` by `server_now`.
    pub(crate) fn with_server_time(
        profile: &'p Profile,
        signer: &dyn Signer,
        now: SystemTime,
        server_now: SystemTime,
    ) -> Result<Self, Error> {
        let EndpointKind::Token { url, .. } = profile.endpoint.kind() else {
            return Err(Error::config(
                "the token endpoint is known by discovery only: read the metadata first",
            ));
        };
        let assertion = profile.assertion(signer, server_now)?;
        let parameters = profile.parameters(&assertion);
        let request = match profile.placement {
            Placement::Form => Request::post_form(url, &parameters),
            Placement::Json => Request::post_json(url, &parameters),
            Placement::Query => Request::post_query(url, &parameters).map_err(|problem| {
                Error::config(format!("the URL with its parameters {problem}"))
            })?,
        };
        Ok(Self {
            profile,
            assertion,
            request,
            now,
        })
    }

    /// Returns the assertion that the request carries.
    pub fn assertion(&self) -> &Assertion {
        &self.assertion
    }
    /// Returns the request, to be sent once.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Reads the response.
    ///
    /// # Errors
    /// [`Denied`](ErrorKind::Denied) where the server refused,
    /// [`Unavailable`](ErrorKind::Unavailable) where it cannot answer now,
    /// [`Protocol`](ErrorKind::Protocol) where this is not a token response.
    pub fn read(self, response: Response) -> Result<AccessToken, Error> {
        let offset = response.clock_offset(self.now);
        self.read_with(response, offset)
    }

    /// `clock_offset` is measured better where the time of the response is known.
    pub(crate) fn read_with(
        self,
        response: Response,
        clock_offset: Option<i64>,
    ) -> Result<AccessToken, Error> {
        let body = response.json();
        match self.classify(&response, body.as_ref()) {
            Ok(granted) => {
                let mut members = body.unwrap_or_default();
                members.remove("access_token"); // its accessor is `AccessToken::secret`
                let Granted {
                    secret,
                    lifetime,
                    scope,
                } = granted;
                AccessToken::new(&secret, self.now, lifetime, scope, members)
                    .ok_or_else(|| Error::protocol(UNUSABLE_TOKEN))
            }
            Err(problem) => {
                let response = ErrorResponse {
                    clock_offset,
                    ..ErrorResponse::new(response, Some(self.now))
                };
                Err(self.into_error(problem, response, body.as_ref()))
            }
        }
    }

    /// What we sent that foreign text must not repeat.
    fn secrets(&self) -> Vec<&str> {
        let mut secrets = vec![self.assertion.secret()];
        secrets.extend(self.profile.secret_parameters());
        secrets
    }

    /// The request did not complete.
    pub(crate) fn failed(self, cause: io::Error) -> Error {
        let (_, query) = self.request.url().split_once('?').unwrap_or_default();
        let body = std::str::from_utf8(self.request.body()).unwrap_or_default();
        // Each secret by itself, and all parameters as they were sent.
        let mut secrets = self.secrets();
        secrets.extend([query, body]);
        Error::network(self.request.authority(), cause).without_secrets(&secrets)
    }

    /// Decides what a response means.
    fn classify(
        &self,
        response: &Response,
        body: Option<&JsonObject>,
    ) -> Result<Granted, (ErrorKind, &'static str)> {
        use ErrorKind::{Denied, Protocol, Unavailable};
        let has = |name| body.and_then(|body| body.get(name)).is_some_and(is_present);
        let is_denied = has("error") || (self.profile.denies_by_message && has("message"));
        Err(match response.status() {
            _ if response.is_unavailable() => {
                (Unavailable, "the authorization server cannot answer now")
            }
            _ if response.is_too_long() => (Protocol, "the response is longer than 64 KiB"),
            200..=299 if has("error") => (Denied, "the authorization server answered an error"),
            200..=299 if body.is_none() && response.is_encoded() => (
                Protocol,
                "the response is compressed, though nobody asked for that",
            ),
            200..=299 => {
                let granted = match body {
                    Some(body) => self.granted(body, response.date()),
                    None => Err("the response is not a JSON object"),
                };
                return granted.map_err(|message| (Protocol, message));
            }
            300..=399 => (
                Protocol,
                "the token endpoint redirects, and no assertion is sent there",
            ),
            400..=499 if is_denied => (Denied, "the authorization server refused"),
            // A server was seen to refuse without a reason.
            400 | 401 | 403 if response.body().is_empty() => (
                Denied,
                "the authorization server refused and gave no reason",
            ),
            _ => (
                Protocol,
                "something other than an authorization server answered",
            ),
        })
    }

    fn granted(
        &self,
        body: &JsonObject,
        date: Option<SystemTime>,
    ) -> Result<Granted, &'static str> {
        let value = |name: &str| body.get(name).filter(|value| !value.is_null());
        let is_bearer = |kind: &Value| {
            kind.as_str()
                .is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"))
        };
        if !value("token_type").is_none_or(is_bearer) {
            return Err("the token is not a bearer token");
        }
        let secret = value("access_token").ok_or("the response has no access_token")?;
        let secret = secret.as_str().ok_or("the access_token is not a string")?;
        if !AccessToken::is_usable(secret) {
            return Err(UNUSABLE_TOKEN);
        }
        let requested = || self.profile.scope.clone();
        Ok(Granted {
            scope: value("scope").map_or_else(requested, scope_string),
            lifetime: self.lifetime(value("expires_in"), secret, date),
            secret: Zeroizing::new(secret.to_owned()),
        })
    }

    /// Returns `expires_in`, else the `exp` of the token where the profile reads it, else the
    /// lifetime that the profile assumes.
    fn lifetime(
        &self,
        expires_in: Option<&Value>,
        token: &str,
        date: Option<SystemTime>,
    ) -> Duration {
        let from_token = || {
            let token = self.profile.reads_token.then_some(token)?;
            let claims = jwt::unverified_claims(token)?;
            let exp = seconds(claims.get("exp")?)?;
            let iat = claims.get("iat").and_then(seconds);
            // A server may hand out a token that is some minutes old: its own clock says how old.
            let now = date.or(iat.is_none().then_some(self.now));
            let now = now.and_then(|now| now.duration_since(SystemTime::UNIX_EPOCH).ok());
            let lifetimes = [iat, now].into_iter().flatten();
            let lifetimes = lifetimes.filter_map(|begin| exp.checked_sub(begin));
            lifetimes.filter(|lifetime| !lifetime.is_zero()).min() // no server grants an expired token
        };
        let lifetime = expires_in.and_then(seconds).or_else(from_token);
        lifetime
            .unwrap_or(self.profile.token_lifetime)
            .min(MAX_TOKEN_LIFETIME)
    }

    /// Makes an error of what the server said, without our secrets.
    fn into_error(
        self,
        (kind, message): (ErrorKind, &'static str),
        response: ErrorResponse,
        body: Option<&JsonObject>,
    ) -> Error {
        let text = |name: &str| body.and_then(|body| body.text(name));
        let mut secrets = self.secrets();
        secrets.extend(text("access_token"));
        let code = text("error").map(|code| redact(code, &secrets));
        let host = response.response.redirect_host();
        let words = text("error_description").or_else(|| text("message"));
        let description = host.as_deref().or(words);
        let description = description.map(|words| redact(words, &secrets));
        // Only the authorization server itself says what it wants.
        let hints = match kind {
            ErrorKind::Protocol => &[],
            _ => self.profile.hints,
        };
        let hint = hint(
            hints,
            response.response.status(),
            code.as_deref(),
            description.as_deref(),
        );
        Error::new(kind, message).with_response(ErrorResponse {
            code,
            description,
            hint,
            ..response
        })
    }
}

/// What a response grants.
struct Granted {
    secret: Zeroizing<String>,
    lifetime: Duration,
    scope: Option<String>,
}

impl fmt::Debug for Exchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

/// Whether a member says something: it is neither `null`, `false` nor empty.
fn is_present(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

/// Returns the scope as one string (RFC 6749 §5.1). Some servers write an array; anything else is
/// unknown.
fn scope_string(scope: &Value) -> Option<String> {
    match scope {
        Value::String(scope) => Some(scope.clone()),
        Value::Array(scopes) => {
            let scopes: Option<Vec<_>> = scopes.iter().map(Value::as_str).collect();
            scopes.map(|scopes| scopes.join(" "))
        }
        _ => None,
    }
}

/// Reads seconds, which servers write as number, string or float. Zero, a negative number and
/// anything unreadable count as missing.
fn seconds(value: &Value) -> Option<Duration> {
    let parse = |text: &str| {
        // JSON has no plus sign, and no zeros before a digit.
        let mut number = text.trim_ascii().as_bytes();
        number = number.strip_prefix(b"+").unwrap_or(number);
        while let [b'0', b'0'..=b'9', ..] = number {
            number = number.get(1..).unwrap_or_default();
        }
        serde_json::from_slice::<Value>(number).ok()?.as_f64()
    };
    let number = value.as_f64().or_else(|| parse(value.as_str()?))?;
    let seconds = Duration::try_from_secs_f64(number.min(MAX_SECONDS)).ok();
    seconds.filter(|seconds| !seconds.is_zero())
}
