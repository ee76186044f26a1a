//! Makes a request from a profile and a key, and a token from the response, without I/O or a clock.
//!
//! Nothing here knows any particular server: the profile says which parameter carries the assertion, what goes with it,
//! and where. A response is believed only as far as it makes sense (RFC 6749 §5.1, §5.2).

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use crate::endpoint::EndpointKind;
use crate::error::{Error, ErrorKind, ErrorResponse};
use crate::json::{self, JsonObject, JsonValue};
use crate::jwt::Assertion;
use crate::message::{Request, Response};
use crate::profile::hint::hint;
use crate::profile::lifetime;
use crate::profile::response::{self, AssumedLifetime, ResponseMap};
use crate::profile::{MAX_TOKEN_LIFETIME, Profile};
use crate::reason::Reason;
use crate::redact::{redact_pair, shorten};
use crate::signer::{CurrentSigner, Signer};
use crate::token::AccessToken;

/// What `token_type` may say, in lower case: RFC 6750 §6.1.1, and Apigee's default.
const BEARER: &[&str] = &["bearer", "bearertoken"];

/// Members of a response that are tokens, which its other members must not repeat.
const TOKEN_MEMBERS: &[&str] = &["access_token", "refresh_token", "id_token", "auth_token"];

const DPOP: &str = "the token is bound to a key by DPoP (RFC 9449), which is not supported: switch it off for this client";

/// One assertion traded for one token, without I/O.
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
    /// The local time; `iat` and `exp` may follow the server's.
    now: SystemTime,
}

impl<'p> Exchange<'p> {
    /// Signs a new assertion for `profile`, whose token endpoint is known.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if the profile cannot work, or its endpoint is known by discovery only;
    /// [`Key`](ErrorKind::Key) if the signer fails.
    pub fn new(
        profile: &'p Profile,
        signer: &'p dyn Signer,
        now: SystemTime,
    ) -> Result<Self, Error> {
        Self::with_server_time(profile, signer, now, now)
    }

    /// Signs a new assertion, with `iat` and `exp` by the server's clock.
    pub(crate) fn with_server_time(
        profile: &'p Profile,
        signer: &'p dyn Signer,
        now: SystemTime,
        server_now: SystemTime,
    ) -> Result<Self, Error> {
        let url = match profile.endpoint.kind() {
            EndpointKind::Token { url, .. } => Ok(url),
            EndpointKind::SelfSigned => {
                Err("there is no token endpoint: the assertion itself is the access token")
            }
            EndpointKind::Discovered { .. } => {
                Err("the token endpoint is known by discovery only: read the metadata first")
            }
        };
        let url = url.map_err(Error::config)?;
        let signer = CurrentSigner::of(signer);
        let assertion = profile.assertion_by(&signer, server_now)?;
        let parameters = profile.parameters(&assertion);
        let request = profile.placement.write(url, &parameters);
        let request = request
            .map_err(|problem| Error::config(format!("the URL with its parameters {problem}")))?;
        Ok(Self {
            profile,
            request: request.with_headers(profile.request_headers(&assertion)),
            signer,
            assertion: assertion.into(),
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
    pub(crate) fn assertion_arc(&self) -> Arc<Assertion> {
        self.assertion.clone()
    }
    /// Returns the request, to be sent once.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Reads the response.
    ///
    /// # Errors
    /// [`Denied`](ErrorKind::Denied) if the server refused, [`Unavailable`](ErrorKind::Unavailable) if it cannot answer
    /// now, [`Protocol`](ErrorKind::Protocol) if this is not a token response.
    pub fn read(self, response: Response) -> Result<AccessToken, Error> {
        let offset = response.clock_offset(self.now);
        self.read_with(response, offset, &[])
    }

    /// `clock_offset` is more precise if the caller knows when the response came. The server's words must not repeat
    /// `other_secrets` either.
    pub(crate) fn read_with(
        self,
        response: Response,
        clock_offset: Option<i64>,
        other_secrets: &[&str],
    ) -> Result<AccessToken, Error> {
        let map = self.map();
        let body = match response.status() {
            200..=299 => (map.body)(&response),
            _ => response.json(),
        };
        let reason = Reason::of(&response, body.as_ref(), map);
        match self.classify(&response, body.as_ref(), &reason) {
            Ok(TokenResponse {
                secret,
                lifetime,
                has_lifetime,
                scope,
            }) => {
                let mut members = body.unwrap_or_default();
                if let (false, Some(warn)) = (has_lifetime, map.warn_of_lifetime) {
                    let secrets = self.secrets_and_tokens(Some(&members));
                    warn(&AssumedLifetime {
                        map,
                        body: &members,
                        server: &self.profile.endpoint,
                        signer: &self.signer,
                        secrets: &secret_texts(&secrets, other_secrets),
                        lifetime,
                    });
                }
                members.remove(&map.token_member); // its accessor is `AccessToken::secret`
                let header = &map.token_header;
                AccessToken::new(&secret, header, self.now, lifetime, scope, members)
                    .ok_or_else(|| Error::protocol(unusable(&map.token_member))) // never: token_response checked it
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

    fn map(&self) -> &'p ResponseMap {
        &self.profile.response
    }

    /// Returns the secrets that we sent, which foreign text must not repeat.
    fn secrets(&self) -> Vec<Zeroizing<String>> {
        let mut secrets = self.profile.secret_values();
        secrets.push(self.assertion.secret().to_owned().into());
        secrets
    }

    /// Returns the secrets that we sent, and the tokens in a response.
    fn secrets_and_tokens(&self, body: Option<&JsonObject>) -> Vec<Zeroizing<String>> {
        let path = json::path(&self.map().token_member);
        let member = path.last().map(|name| &**name);
        let names: Vec<_> = TOKEN_MEMBERS.iter().copied().chain(member).collect();
        let mut secrets = self.secrets();
        if let Some(body) = body {
            secrets.append(&mut body.texts_at_any_depth(&names));
            // An element of an array has no name.
            secrets.extend(body.find_text(&self.map().token_member));
        }
        secrets
    }

    /// Makes the error of a request that did not complete.
    pub(crate) fn into_network_error(self, cause: io::Error, other_secrets: &[&str]) -> Error {
        let (_, query) = self.request.url().split_once('?').unwrap_or_default();
        let body = std::str::from_utf8(self.request.body()).unwrap_or_default();
        // Each secret by itself, and all parameters as they were sent.
        let own = self.secrets();
        let mut secrets = secret_texts(&own, other_secrets);
        secrets.extend([query, body]);
        Error::network(self.request.authority(), cause).without_secrets(&secrets)
    }

    /// Decides what a response means.
    fn classify(
        &self,
        response: &Response,
        body: Option<&JsonObject>,
        reason: &Reason,
    ) -> Result<TokenResponse, FailedResponse> {
        use ErrorKind::{Denied, Protocol, Unavailable};
        let map = self.map();
        let has = |member: &str| {
            let json = body.and_then(|body| body.find(member));
            json.is_some_and(|json| !json::is_empty(json))
        };
        // Some servers number their errors, and zero means no error.
        let error = body.and_then(|body| body.find(&map.error_member));
        let has_error = has(&map.error_member) && error != Some("0");
        let is_success = matches!(response.status(), 200..=299);
        // A token response may have members of these names too.
        let may_have_reason = has_error || !is_success;
        let kind_by_words = map.kind_of(reason.code(), reason.description());
        let kind_by_words = kind_by_words.filter(|_| may_have_reason);
        let is_unavailable = match kind_by_words {
            Some(kind) => kind == Unavailable,
            None => response.is_unavailable(),
        };
        let has_description = map.error_description_member.as_deref().is_some_and(has);
        let has_challenge = response.status() == 401 && body.is_none() && reason.code.is_some();
        let is_denied = kind_by_words == Some(Denied)
            || matches!(response.status(), 400..=499)
                && (has_error || has_description || has_challenge);
        let (kind, message) = match response.status() {
            _ if is_unavailable => (Unavailable, "the authorization server cannot answer now"),
            _ if response.is_too_long() => (Protocol, "the response is longer than 64 KiB"),
            200..=299 if has_error => (Denied, "the authorization server answered an error"),
            300..=399 => (
                Protocol,
                "the token endpoint redirects, and no assertion is sent there",
            ),
            _ if is_denied => (Denied, "the authorization server refused"),
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
                    None => Err("the response is not a JSON object".into()),
                };
                return response_token.map_err(|message| FailedResponse {
                    kind: Protocol,
                    message,
                });
            }
            _ => (
                Protocol,
                "something other than an authorization server answered",
            ),
        };
        Err(FailedResponse {
            kind,
            message: message.into(),
        })
    }

    fn token_response(
        &self,
        body: &JsonObject,
        date: Option<SystemTime>,
    ) -> Result<TokenResponse, Cow<'static, str>> {
        let map = self.map();
        let value = |member: &str| {
            let value = body.find(member).and_then(JsonValue::parse);
            value.filter(|value| !value.is_null())
        };
        if let Some(kind) = value("token_type") {
            let kind = kind.as_str().unwrap_or_default().to_ascii_lowercase();
            match kind.as_str() {
                "dpop" => return Err(DPOP.into()),
                kind if BEARER.contains(&kind) => {}
                _ => return Err("the token is not a bearer token".into()),
            }
        }
        let secret = value(&map.token_member)
            .ok_or_else(|| response::without_token(&map.token_member, body))?;
        let secret = secret
            .as_str()
            .ok_or_else(|| format!("the {} is not a string", map.token_member))?;
        if !AccessToken::is_usable(secret) {
            return Err(unusable(&map.token_member).into());
        }
        let requested = || self.profile.scope.clone();
        let now = date.unwrap_or(self.now);
        let lifetime =
            value(&map.lifetime_member).and_then(|value| (map.lifetime_unit.read)(&value, now));
        Ok(TokenResponse {
            scope: value("scope").map_or_else(requested, |scope| response::scope(&scope)),
            lifetime: self.lifetime(lifetime, secret, date),
            has_lifetime: lifetime.is_some(),
            secret: Zeroizing::new(secret.to_owned()),
        })
    }

    /// Returns the lifetime that the response names, else the `exp` of the token if the profile reads it, else the
    /// lifetime that the profile assumes.
    fn lifetime(&self, named: Option<Duration>, token: &str, date: Option<SystemTime>) -> Duration {
        let from_token = || {
            let token = self.map().reads_token_exp.then_some(token)?;
            lifetime::of_jwt(token, self.now, date)
        };
        let lifetime = named.or_else(from_token);
        lifetime
            .unwrap_or(self.map().default_lifetime)
            .min(MAX_TOKEN_LIFETIME)
    }

    /// Makes an error from what the server said, without secrets.
    fn into_error(
        self,
        FailedResponse { kind, message }: FailedResponse,
        reason: &Reason,
        response: ErrorResponse,
        body: Option<&JsonObject>,
        other_secrets: &[&str],
    ) -> Error {
        let secrets = self.secrets_and_tokens(body);
        let secrets = secret_texts(&secrets, other_secrets);
        let message = match message {
            // This text names members of the response.
            Cow::Owned(text) => self.signer.redact_text(&text, &secrets).into(),
            fixed => fixed,
        };
        let host = response.response.redirect_host();
        let words = host.as_deref().unwrap_or(reason.description());
        let words = redact_pair([reason.code(), words], &secrets);
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

/// Why a response is not the token.
struct FailedResponse {
    kind: ErrorKind,
    message: Cow<'static, str>,
}

/// What a successful response contains (RFC 6749 §5.1).
struct TokenResponse {
    secret: Zeroizing<String>,
    lifetime: Duration,
    /// Whether the response names the lifetime.
    has_lifetime: bool,
    scope: Option<String>,
}

/// Returns all secrets in the form that the redacting functions take.
fn secret_texts<'a>(own: &'a [Zeroizing<String>], others: &[&'a str]) -> Vec<&'a str> {
    let mut secrets: Vec<_> = own.iter().map(|secret| secret.as_str()).collect();
    secrets.extend(others);
    secrets
}

impl fmt::Debug for Exchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

/// Returns the assertion as the access token of a self-signed profile, or `None` for any other profile.
pub(crate) fn self_signed_token(
    profile: &Profile,
    signer: &dyn Signer,
    now: SystemTime,
    server_now: SystemTime,
) -> Result<Option<AccessToken>, Error> {
    let EndpointKind::SelfSigned = profile.endpoint.kind() else {
        return Ok(None);
    };
    let assertion = profile.assertion(signer, server_now)?;
    let map = &profile.response;
    let lifetime = profile.assertion_lifetime.unwrap_or(map.default_lifetime);
    let lifetime = lifetime.min(MAX_TOKEN_LIFETIME);
    let (header, scope) = (&map.token_header, profile.scope.clone());
    let members = JsonObject::default();
    let token = AccessToken::new(assertion.secret(), header, now, lifetime, scope, members);
    token
        .map(Some)
        .ok_or_else(|| Error::protocol(unusable("assertion"))) // never: it is base64url and dots
}

fn unusable(token: &str) -> String {
    format!("the {token} is empty or holds something other than visible ASCII")
}
