//! Profile and key to request, response to token; no I/O, no clock.
//!
//! Nothing here knows any server: the profile says which parameter carries the assertion, what goes
//! with it and where. A response is believed only as far as it makes sense (RFC 6749 §5.1, §5.2).

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use zeroize::Zeroizing;

use crate::endpoint::EndpointKind;
use crate::error::{Error, ErrorKind, ErrorResponse, says};
use crate::json::{JsonObject, JsonValue};
use crate::jwt::{self, Assertion};
use crate::message::{Request, Response};
use crate::profile::hint::hint;
use crate::profile::{MAX_TOKEN_LIFETIME, Placement, Profile};
use crate::reason::Reason;
use crate::redact::{redact_all, shorten};
use crate::signer::{CurrentSigner, Signer};
use crate::token::AccessToken;

/// The latest time that is read, in seconds, the year 5138: no token lives longer.
const MAX_SECONDS: f64 = 1e11;

/// What `token_type` may say, in lower case: RFC 6750 §6.1.1, and Apigee's default.
const BEARER: &[&str] = &["bearer", "bearertoken"];

/// Codes, and parts of their descriptions in lower case, that mean "later": RFC 6749 §4.1.2.1, which servers also use
/// at the token endpoint, and Google's.
const TRANSIENT_ERRORS: &[(&str, &str)] = &[
    ("temporarily_unavailable", ""),
    ("server_error", ""),
    ("internal_failure", ""),
];

/// Members of a response that are tokens, which its other members must not repeat.
const TOKEN_MEMBERS: &[&str] = &["access_token", "refresh_token", "id_token", "auth_token"];

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
    signer: CurrentSigner<'p>,
    assertion: Arc<Assertion>,
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
    pub fn new(
        profile: &'p Profile,
        signer: &'p dyn Signer,
        now: SystemTime,
    ) -> Result<Self, Error> {
        Self::with_server_time(profile, signer, now, now)
    }

    /// Signs with `iat` and `exp` by `server_now`.
    pub(crate) fn with_server_time(
        profile: &'p Profile,
        signer: &'p dyn Signer,
        now: SystemTime,
        server_now: SystemTime,
    ) -> Result<Self, Error> {
        let EndpointKind::Token { url, .. } = profile.endpoint.kind() else {
            return Err(Error::config(
                "the token endpoint is known by discovery only: read the metadata first",
            ));
        };
        let signer = CurrentSigner::of(signer);
        let assertion = profile.assertion_of(&signer, server_now)?;
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
            signer,
            assertion: assertion.into(),
            request,
            now,
        })
    }

    /// Returns the assertion that the request carries.
    pub fn assertion(&self) -> &Assertion {
        &self.assertion
    }
    /// Returns the `kid` of the key that signed.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.signer.key_id()
    }
    pub(crate) fn shared_assertion(&self) -> Arc<Assertion> {
        self.assertion.clone()
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
        self.read_with(response, offset, &[])
    }

    /// `clock_offset` is measured better where the time of the response is known. The server's words must not repeat
    /// `other_secrets` either.
    pub(crate) fn read_with(
        self,
        response: Response,
        clock_offset: Option<i64>,
        other_secrets: &[&str],
    ) -> Result<AccessToken, Error> {
        let body = response.json();
        let reason = Reason::of(&response, body.as_ref());
        match self.classify(&response, body.as_ref(), &reason) {
            Ok(response_token) => {
                let mut members = body.unwrap_or_default();
                members.remove("access_token"); // its accessor is `AccessToken::secret`
                let TokenResponse {
                    secret,
                    lifetime,
                    scope,
                } = response_token;
                AccessToken::new(&secret, self.now, lifetime, scope, members)
                    .ok_or_else(|| Error::protocol(UNUSABLE_TOKEN)) // never: token_response checked it
            }
            Err(problem) => {
                let response = ErrorResponse {
                    clock_offset,
                    ..ErrorResponse::new(response, Some(self.now))
                };
                Err(self.into_error(problem, &reason, response, body.as_ref(), other_secrets))
            }
        }
    }

    /// Returns what we sent that foreign text must not repeat.
    fn secrets(&self) -> Vec<&str> {
        let mut secrets = vec![self.assertion.secret()];
        secrets.extend(self.profile.secret_parameters());
        secrets
    }

    /// The request did not complete.
    pub(crate) fn failed(self, cause: io::Error, other_secrets: &[&str]) -> Error {
        let (_, query) = self.request.url().split_once('?').unwrap_or_default();
        let body = std::str::from_utf8(self.request.body()).unwrap_or_default();
        // Each secret by itself, and all parameters as they were sent.
        let mut secrets = self.secrets();
        secrets.extend([query, body]);
        secrets.extend(other_secrets);
        Error::network(self.request.authority(), cause).without_secrets(&secrets)
    }

    /// Decides what a response means.
    fn classify(
        &self,
        response: &Response,
        body: Option<&JsonObject>,
        reason: &Reason,
    ) -> Result<TokenResponse, (ErrorKind, &'static str)> {
        use ErrorKind::{Denied, Protocol, Unavailable};
        let has = |name| {
            let value = body.and_then(|body| body.get(name));
            value.is_some_and(|value| is_present(&value))
        };
        let has_error = has("error");
        // A token response may have members of these names too.
        let is_success = |status| (200..=299).contains(&status);
        let may_be_transient =
            |status| (has_error || !is_success(status)) && self.is_transient(reason);
        let is_denied = has_error || (self.profile.denies_by_message && has("message"));
        Err(match response.status() {
            status if response.is_unavailable() || may_be_transient(status) => {
                (Unavailable, "the authorization server cannot answer now")
            }
            _ if response.is_too_long() => (Protocol, "the response is longer than 64 KiB"),
            200..=299 if has_error => (Denied, "the authorization server answered an error"),
            300..=399 => (
                Protocol,
                "the token endpoint redirects, and no assertion is sent there",
            ),
            400..=499 if is_denied => (Denied, "the authorization server refused"),
            401 if response.body().is_empty() && reason.code.is_some() => {
                (Denied, "the authorization server refused")
            }
            // A server was seen to refuse without a reason.
            400 | 401 | 403 if response.body().is_empty() => (
                Denied,
                "the authorization server refused and gave no reason",
            ),
            _ if body.is_none() && response.is_encoded() => (
                Protocol,
                "the response is compressed, though nobody asked for that",
            ),
            200..=299 => {
                let response_token = match body {
                    Some(body) => self.token_response(body, response.date()),
                    None => Err("the response is not a JSON object"),
                };
                return response_token.map_err(|message| (Protocol, message));
            }
            401 if body.is_none() && reason.code.is_some() => {
                (Denied, "the authorization server refused")
            }
            _ => (
                Protocol,
                "something other than an authorization server answered",
            ),
        })
    }

    /// Returns whether the server says that the same request may succeed later.
    fn is_transient(&self, reason: &Reason) -> bool {
        let is_row = |(code, description): &(&str, &str)| {
            reason.code() == *code && says(reason.description(), description)
        };
        [TRANSIENT_ERRORS, self.profile.transient_errors]
            .iter()
            .any(|rows| rows.iter().any(is_row))
    }

    fn token_response(
        &self,
        body: &JsonObject,
        date: Option<SystemTime>,
    ) -> Result<TokenResponse, &'static str> {
        let value = |name: &str| body.get(name).filter(|value| !value.is_null());
        let is_bearer = |kind: JsonValue| {
            let kind = kind.as_str().unwrap_or_default().to_ascii_lowercase();
            BEARER.contains(&kind.as_str())
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
        Ok(TokenResponse {
            scope: value("scope").map_or_else(requested, |scope| scope_string(&scope)),
            lifetime: self.lifetime(value("expires_in").as_deref(), secret, date),
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
            let exp = claims.get("exp").and_then(|exp| seconds(&exp))?;
            let iat = claims.get("iat").and_then(|iat| seconds(&iat));
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

    /// Makes an error of what the server said, without secrets.
    fn into_error(
        self,
        (kind, message): (ErrorKind, &'static str),
        reason: &Reason,
        response: ErrorResponse,
        body: Option<&JsonObject>,
        other_secrets: &[&str],
    ) -> Error {
        let tokens = body.map(|body| body.texts_at_any_depth(TOKEN_MEMBERS));
        let tokens = tokens.unwrap_or_default();
        let mut secrets = self.secrets();
        secrets.extend(tokens.iter().map(|token| token.as_str()));
        secrets.extend(other_secrets);
        let host = response.response.redirect_host();
        let words = host.as_deref().unwrap_or(reason.description());
        let words = redact_all([reason.code(), words], &secrets);
        let [code, description] = self.signer.redact(words);
        let present = |words: String| Some(shorten(&words)).filter(|words| !words.is_empty());
        let (code, description) = (present(code), present(description));
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

/// What a successful response contains (RFC 6749 §5.1).
struct TokenResponse {
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

/// Returns whether a member says something: it is neither `null`, `false` nor empty.
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
        let mut number = text.trim_ascii();
        number = number.strip_prefix('+').unwrap_or(number);
        while let [b'0', b'0'..=b'9', ..] = number.as_bytes() {
            number = number.get(1..).unwrap_or_default();
        }
        JsonValue::parse(number)?.as_f64()
    };
    let number = value.as_f64().or_else(|| parse(value.as_str()?))?;
    let seconds = Duration::try_from_secs_f64(number.min(MAX_SECONDS)).ok();
    seconds.filter(|seconds| !seconds.is_zero())
}
