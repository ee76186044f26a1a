//! Profile and key to request, response to token; no I/O, no clock.
//!
//! It never asks which server it is talking to: a profile says which parameter carries the
//! assertion, what goes with it and where. A response is believed only as far as it makes sense
//! (RFC 6749 §5.1 and §5.2).

use std::fmt;
use std::io;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use zeroize::Zeroizing;

use crate::echo::cut;
use crate::endpoint::Place;
use crate::error::{Answer, Error, ErrorKind};
use crate::http::{Members, Request, Response};
use crate::jwt::{self, Assertion};
use crate::profile::hint::hint;
use crate::profile::{MAX_TOKEN_LIFETIME, Placement, Profile};
use crate::signer::Signer;
use crate::token::AccessToken;

/// One assertion on its way to one token. Reading the response consumes it: no assertion is sent
/// twice.
///
/// ```
/// # use jwt_bearer::{Audience, Endpoint, Exchange, HmacKey, Profile, Request, Response};
/// # use std::time::SystemTime;
/// # fn send(request: &Request) -> Response { Response::new(200, r#"{"access_token":"t"}"#) }
/// let endpoint = Endpoint::token("https://as.example.com/token");
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
    /// By our clock; what is signed may be by the server's.
    now: SystemTime,
}

impl<'p> Exchange<'p> {
    /// Signs a new assertion for `profile`, whose token endpoint is known.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) where the profile cannot work, or its endpoint is known by
    /// discovery only; [`Key`](ErrorKind::Key) where the signer fails.
    pub fn new(profile: &'p Profile, signer: &dyn Signer, now: SystemTime) -> Result<Self, Error> {
        Self::corrected(profile, signer, now, now)
    }

    /// `server_now` is what `iat` and `exp` go by.
    pub(crate) fn corrected(
        profile: &'p Profile,
        signer: &dyn Signer,
        now: SystemTime,
        server_now: SystemTime,
    ) -> Result<Self, Error> {
        let Place::Token { url, .. } = profile.endpoint.place()? else {
            return Err(Error::config(
                "the token endpoint is known by discovery only: read the metadata first",
            ));
        };
        let assertion = profile.assertion(signer, server_now)?;
        let parameters = profile.parameters(&assertion);
        let request = match profile.placement {
            Placement::Form => Request::post_form(url, &parameters),
            Placement::Json => Request::post_json(url, &parameters),
            Placement::Query => Request::post_query(url, &parameters)
                .map_err(|wrong| Error::config(format!("the URL with its parameters {wrong}")))?,
        };
        Ok(Self {
            profile,
            assertion,
            request,
            now,
        })
    }

    /// The assertion that the request carries.
    pub fn assertion(&self) -> &Assertion {
        &self.assertion
    }
    /// What to send, once.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Reads the response.
    ///
    /// # Errors
    /// [`Denied`](ErrorKind::Denied) where the server said no,
    /// [`Unavailable`](ErrorKind::Unavailable) where it cannot answer now,
    /// [`Protocol`](ErrorKind::Protocol) where this is no token response.
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
        self.judge(&response).map_err(|verdict| {
            let answer = Answer {
                clock_offset,
                ..Answer::new(response, Some(self.now))
            };
            self.refused(verdict, answer)
        })
    }

    /// What the assertion calls itself, for whoever looks for it in a server's log.
    pub(crate) fn jti(&self) -> Option<String> {
        let claims = jwt::unverified_claims(self.assertion.secret())?;
        claims.get("jti")?.as_str().map(str::to_owned)
    }

    /// What we sent that a foreign text must not repeat.
    fn secrets(&self) -> Vec<&str> {
        let mut secrets = vec![self.assertion.secret()];
        secrets.extend(self.profile.secret_parameters());
        secrets
    }

    /// The request did not complete.
    pub(crate) fn failed(self, cause: io::Error) -> Error {
        let (_, query) = self.request.url().split_once('?').unwrap_or_default();
        // By themselves, and with all parameters as they were sent.
        let mut secrets = self.secrets();
        secrets.extend([query, self.request.body()]);
        Error::network(self.request.host(), cause).without(&secrets)
    }

    /// The table of responses.
    fn judge(&self, response: &Response) -> Result<AccessToken, (ErrorKind, &'static str)> {
        use ErrorKind::{Denied, Protocol, Unavailable};
        let members = response.members();
        let says = |name| {
            members
                .as_ref()
                .and_then(|m| m.get(name))
                .is_some_and(is_said)
        };
        let denied = says("error") || (self.profile.denies_by_message && says("message"));
        Err(match response.status() {
            _ if response.is_unavailable() => {
                (Unavailable, "the authorization server cannot answer now")
            }
            _ if response.is_too_long() => (Protocol, "the response is longer than 64 KiB"),
            200..=299 if says("error") => (Denied, "the authorization server answered an error"),
            200..=299 if members.is_none() && response.is_encoded() => (
                Protocol,
                "the response is compressed, though nobody asked for that",
            ),
            200..=299 => {
                return self
                    .token(members, response.date())
                    .map_err(|message| (Protocol, message));
            }
            300..=399 => (
                Protocol,
                "the token endpoint redirects, and no assertion is sent there",
            ),
            400..=499 if denied => (Denied, "the authorization server refused"),
            // A server was seen to say no that way.
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

    fn token(
        &self,
        members: Option<Members>,
        date: Option<SystemTime>,
    ) -> Result<AccessToken, &'static str> {
        let mut members = members.ok_or("the response is not a JSON object")?;
        let value = |name: &str| members.get(name).filter(|value| !value.is_null());
        let bearer = |kind: &Value| {
            kind.as_str()
                .is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"))
        };
        if !value("token_type").is_none_or(bearer) {
            return Err("the token is not a bearer token");
        }
        let secret = value("access_token").ok_or("the response has no access_token")?;
        let secret = secret.as_str().ok_or("the access_token is not a string")?;
        let secret = Zeroizing::new(secret.to_owned());
        let asked = || self.profile.scope.clone();
        let scope = value("scope").map_or_else(asked, granted);
        let lifetime = self.lifetime(value("expires_in"), &secret, date);
        members.forget("access_token"); // it has a door of its own
        AccessToken::new(&secret, self.now, lifetime, scope, members)
            .ok_or("the access_token is empty or holds something other than visible ASCII")
    }

    /// `expires_in`, else what the token says of itself, where the profile reads it, else the profile's
    /// word.
    fn lifetime(
        &self,
        expires_in: Option<&Value>,
        token: &str,
        date: Option<SystemTime>,
    ) -> Duration {
        let own = || {
            let read = self.profile.token_is_read.then_some(token)?;
            let claims = jwt::unverified_claims(read)?;
            let exp = seconds(claims.get("exp")?)?;
            let issued = claims.get("iat").and_then(seconds);
            // A server may hand out a token of some minutes ago: by its own clock then, not by ours.
            let now = date.or(issued.is_none().then_some(self.now));
            let now = now.and_then(|now| now.duration_since(SystemTime::UNIX_EPOCH).ok());
            let lives = [issued, now].into_iter().flatten();
            let lives = lives.filter_map(|begin| exp.checked_sub(begin));
            lives.filter(|life| !life.is_zero()).min() // no token was dead before
        };
        let told = expires_in.and_then(seconds).or_else(own);
        told.unwrap_or(self.profile.token_lifetime)
            .min(MAX_TOKEN_LIFETIME)
    }

    /// An error with what the server said, without what it repeats of our secrets.
    fn refused(self, (kind, message): (ErrorKind, &'static str), answer: Answer) -> Error {
        let members = answer.response.members();
        let text = |name: &str| {
            let text = members.as_ref()?.get(name)?.as_str();
            text.filter(|text| !text.is_empty())
        };
        let token = text("access_token").unwrap_or_default();
        let mut secrets = self.secrets();
        secrets.push(token);
        let said = text("error_description").or_else(|| text("message"));
        let code = text("error").map(|text| cut(text, &secrets));
        let host = answer.response.redirect_host();
        let description = host.as_deref().or(said).map(|text| cut(text, &secrets));
        // Who is not the authorization server says nothing about what it wants.
        let known = (kind != ErrorKind::Protocol).then_some(self.profile.hints);
        let hint = hint(
            known.unwrap_or_default(),
            answer.response.status(),
            code.as_deref(),
            description.as_deref(),
        );
        Error::new(kind, message).answered(Answer {
            code,
            description,
            hint,
            ..answer
        })
    }
}

impl fmt::Debug for Exchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

/// Not `null`, not empty.
fn is_said(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

/// The scope as one string (RFC 6749 §5.1). Some servers write an array of them; what is neither is
/// unknown.
fn granted(scope: &Value) -> Option<String> {
    match scope {
        Value::String(scope) => Some(scope.clone()),
        Value::Array(scopes) => {
            let scopes: Option<Vec<_>> = scopes.iter().map(Value::as_str).collect();
            scopes.map(|scopes| scopes.join(" "))
        }
        _ => None,
    }
}

/// Servers write seconds as number, string or float. Zero, below and unreadable are as good as
/// missing.
fn seconds(value: &Value) -> Option<Duration> {
    let written = |text: &str| {
        // JSON has no plus sign, and no zeros before a digit.
        let mut number = text.trim_ascii().as_bytes();
        number = number.strip_prefix(b"+").unwrap_or(number);
        while let [b'0', b'0'..=b'9', ..] = number {
            number = number.get(1..).unwrap_or_default();
        }
        serde_json::from_slice::<Value>(number).ok()?.as_f64()
    };
    let number = value.as_f64().or_else(|| written(value.as_str()?))?;
    let seconds = Duration::try_from_secs_f64(number.min(MAX_SECONDS)).ok();
    seconds.filter(|seconds| !seconds.is_zero())
}

/// The year 5138 as seconds: no lifetime and no date of a token is beyond it.
const MAX_SECONDS: f64 = 1e11;
