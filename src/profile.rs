//! Everything one authorization server wants, as data.
//!
//! A new server is a new constructor below `provider`: a struct literal over `Profile::new`, which has all the
//! defaults. Everything that differs between servers is a value here. A value that needs code is a constant that
//! carries its function, so that a program contains only the code that it names. `profile/check.rs` refuses a profile
//! that cannot work, before anything is signed.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde_json::Value;
use zeroize::Zeroizing;

use self::hint::Hint;
use self::response::StandardOrOwn;
use crate::endpoint::{Endpoint, EndpointKind};
use crate::message::RequestHeaders;
use crate::placement::Placement;
use crate::signer::Algorithm;

pub(crate) mod hint;

pub(crate) mod lifetime;

pub(crate) mod response;

mod check;

pub(crate) mod claims;

mod with;

pub(crate) mod setting;

pub(crate) mod identity;

mod metadata;

/// RFC 7523 §2.1.
pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// RFC 7521 §4.2.
const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The longest token lifetime that is accepted. A larger number is in another unit, or means "forever", and is cut to
/// this.
pub(crate) const MAX_TOKEN_LIFETIME: Duration = Duration::from_secs(31 * 24 * 3600);

/// What one authorization server expects from one client, and how it answers.
///
/// It has four parts: where the token endpoint is, what is signed, how it is sent, and how the response is read. A
/// constructor for a provider or one of the generic constructors makes a profile, and the `with_*` methods change it.
/// [`TokenSource::new`](crate::TokenSource::new) and [`Exchange::new`](crate::Exchange::new) check it.
#[derive(Clone)]
pub struct Profile {
    pub(crate) endpoint: Endpoint,

    // The assertion.
    pub(crate) issuer: Issuer,
    pub(crate) subject: Option<String>,
    pub(crate) audience: Audience,
    /// How far `exp` lies after now; `None` leaves the claim out.
    pub(crate) assertion_lifetime: Option<Duration>,
    /// How far `nbf` lies before now; `None` leaves the claim out.
    pub(crate) nbf_leeway: Option<Duration>,
    /// How far `iat` lies before now; `None` leaves the claim out.
    pub(crate) iat_leeway: Option<Duration>,
    pub(crate) jti: Jti,
    /// Names with their values in JSON, sorted by name.
    pub(crate) claims: Vec<(String, String)>,
    pub(crate) typ: Option<String>,
    /// Names with their values in JSON, sorted by name.
    pub(crate) header: Vec<(String, String)>,
    /// The algorithms that the server accepts, the best first; empty if unknown.
    pub(crate) algorithms: Cow<'static, [Algorithm]>,
    pub(crate) limits: &'static Limits,
    pub(crate) scope: Option<String>,
    pub(crate) scope_placement: ScopePlacement,

    // The request.
    pub(crate) assertion_placement: AssertionPlacement,
    /// Parameters that are sent in addition to the assertion.
    pub(crate) parameters: Vec<OwnedParameter>,
    pub(crate) placement: Placement,
    pub(crate) request_headers: RequestHeaders,
    /// Secrets that a request header contains in encoded form.
    pub(crate) encoded_secrets: Vec<Zeroizing<String>>,

    // The response.
    pub(crate) response: StandardOrOwn,
    pub(crate) hints: &'static [Hint],
}

/// What one server refuses according to its documents. It is refused here, before anything is sent.
pub(crate) struct Limits {
    /// The longest time from `iat` to `exp`.
    pub(crate) exp_after_iat: Duration,
    /// The longest time from now to `exp`.
    pub(crate) exp_after_now: Duration,
    /// Whether the header needs `kid` if it has no `x5c`.
    pub(crate) needs_key_id: bool,
    /// The longest assertion in bytes.
    pub(crate) assertion_length: usize,
    /// The longest RSA key in bits.
    pub(crate) rsa_bits: usize,
    /// Says what else this server would refuse, and what to set instead.
    pub(crate) check: fn(&Profile) -> Result<(), &'static str>,
    /// Seconds by which our clock may be wrong. Beyond that, an assertion is signed by the server's clock. `None`
    /// unless the server tolerates very little.
    pub(crate) clock_tolerance: Option<u64>,
}

impl Limits {
    pub(crate) const NONE: Self = Self {
        exp_after_iat: Duration::MAX,
        exp_after_now: Duration::MAX,
        needs_key_id: false,
        assertion_length: usize::MAX,
        rsa_bits: usize::MAX,
        check: |_| Ok(()),
        clock_tolerance: None,
    };
}

/// A parameter that owns its value: a text, or JSON.
#[derive(Clone)]
pub(crate) struct OwnedParameter {
    pub(crate) name: Cow<'static, str>,
    pub(crate) value: Zeroizing<String>,
    pub(crate) is_json: bool,
}

/// What the claim `iss` contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Issuer {
    Omit,
    Fixed(String),
    /// This text, then the fingerprint of the signing key in base64: `Signer::identity`, which is the SHA-256 of the
    /// public key.
    WithFingerprint(String),
}

/// Where a token request carries the assertion.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssertionPlacement {
    /// The parameter of this name. With [`Placement::JSON`] it may be a JSON Pointer (RFC 6901).
    Parameter(Cow<'static, str>),
    /// The header `Authorization: Bearer`.
    Bearer,
}

/// What the claim `aud` contains.
///
/// It is always one string and never an array: RFC 7519 §4.1.3 allows both, but many servers accept only a string.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Audience {
    /// No claim `aud`.
    Omit,
    /// This text, byte for byte.
    Fixed(String),
    /// The URL of the token endpoint, which RFC 7523 §3 allows and many servers want.
    TokenEndpoint,
    /// The issuer that the metadata names, which draft-ietf-oauth-rfc7523bis requires for client
    /// authentication.
    Issuer,
}

/// How the claim `jti` is written. Its value is random, and new for every assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Jti {
    /// No claim `jti`. The profile must then send `iat`, because two assertions with neither could be the same.
    Omit,
    /// A random UUID with hyphens (RFC 9562 §5.4).
    Uuid,
    /// A random UUID as 32 hexadecimal digits.
    Hex,
}

/// Where an assertion or its request names the scopes, and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScopePlacement {
    /// The parameter `scope` (RFC 6749 §3.3).
    Parameter,
    /// A claim of this name, as an array of strings.
    ClaimArray(Cow<'static, str>),
    /// A claim of this name, as one string with a comma between scopes.
    ClaimWithCommas(Cow<'static, str>),
    /// A claim of this name, as one string with a space between scopes.
    ClaimWithSpaces(Cow<'static, str>),
}

impl Profile {
    /// Returns a profile for RFC 7523 §2.2: the assertion authenticates the client.
    ///
    /// `iss` and `sub` are the client id, and so is the parameter `client_id`.
    ///
    /// No default for the audience would be safe: draft-ietf-oauth-rfc7523bis requires
    /// [`Audience::Issuer`], and several servers want [`Audience::TokenEndpoint`].
    pub fn client_credentials(
        endpoint: Endpoint,
        client_id: impl Into<String>,
        audience: Audience,
    ) -> Self {
        let client_id = client_id.into();
        Self {
            issuer: Issuer::Fixed(client_id.clone()),
            subject: Some(client_id.clone()),
            assertion_placement: AssertionPlacement::Parameter("client_assertion".into()),
            parameters: vec![
                text_parameter("grant_type", "client_credentials"),
                text_parameter("client_id", client_id),
                text_parameter("client_assertion_type", CLIENT_ASSERTION),
            ],
            ..Self::new(endpoint, audience)
        }
    }

    /// Returns a profile for RFC 7523 §2.1: the assertion is the authorization grant.
    ///
    /// The access token acts on behalf of the [subject](Self::with_subject). `issuer` is usually
    /// the client id.
    pub fn jwt_bearer(endpoint: Endpoint, issuer: impl Into<String>, audience: Audience) -> Self {
        Self {
            issuer: Issuer::Fixed(issuer.into()),
            parameters: vec![text_parameter("grant_type", JWT_BEARER)],
            ..Self::new(endpoint, audience)
        }
    }

    /// Returns a profile without an exchange: the assertion itself is the access token, and nothing is sent.
    ///
    /// A source keeps and renews it like any other token. `exp` lies ten minutes after now, and there is no `jti`,
    /// since one token serves many calls.
    pub fn self_signed(issuer: impl Into<String>, audience: Audience) -> Self {
        Self {
            issuer: Issuer::Fixed(issuer.into()),
            assertion_lifetime: Some(Duration::from_secs(600)),
            jti: Jti::Omit,
            ..Self::new(Endpoint::none(), audience)
        }
    }

    /// Returns a profile for a server that has its own kind of exchange.
    ///
    /// The request has only the assertion, in the parameter `assertion` of a form. Every setting has its default; the
    /// assertion has no `iss` and no `sub`.
    pub fn new(endpoint: Endpoint, audience: Audience) -> Self {
        Self {
            endpoint,
            issuer: Issuer::Omit,
            subject: None,
            audience,
            assertion_lifetime: Some(Duration::from_secs(60)),
            nbf_leeway: None,
            iat_leeway: Some(Duration::ZERO),
            jti: Jti::Uuid,
            claims: Vec::new(),
            typ: Some("JWT".to_owned()),
            header: Vec::new(),
            algorithms: Cow::Borrowed(&[]),
            limits: &Limits::NONE,
            scope: None,
            scope_placement: ScopePlacement::Parameter,
            assertion_placement: AssertionPlacement::Parameter(Cow::Borrowed("assertion")),
            parameters: Vec::new(),
            placement: Placement::FORM,
            request_headers: Vec::new(),
            encoded_secrets: Vec::new(),
            response: StandardOrOwn::Standard,
            hints: hint::COMMON,
        }
    }

    /// Returns where a token request carries the assertion.
    pub fn assertion_placement(&self) -> &AssertionPlacement {
        &self.assertion_placement
    }

    /// Returns where the token endpoint is.
    #[cfg(feature = "cli")]
    #[doc(hidden)]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns whether the assertion itself is the access token, so that nothing is sent.
    pub fn is_self_signed(&self) -> bool {
        matches!(self.endpoint.kind(), EndpointKind::SelfSigned)
    }

    /// Returns the algorithms that the server accepts, the best first. An empty list means all.
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }
}

pub(crate) fn text_parameter(name: &'static str, value: impl Into<String>) -> OwnedParameter {
    OwnedParameter {
        name: Cow::Borrowed(name),
        value: Zeroizing::new(value.into()),
        is_json: false,
    }
}

/// Adds a member unless it is `null`, since a JWT leaves out absent members.
fn insert_sorted(members: &mut Vec<(String, String)>, name: String, value: &Value) {
    if !value.is_null() {
        members.insert(sorted_position(members, &name), (name, value.to_string()));
    }
}

/// Returns the position of a new member among members that are sorted by name.
fn sorted_position(members: &[(String, String)], name: &str) -> usize {
    members.partition_point(|(other, _)| other.as_str() <= name)
}

/// Shows the names of claims, header members and parameters, but none of their values.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |members: &[(String, String)]| {
            members
                .iter()
                .map(|(name, _)| name.clone())
                .collect::<Vec<_>>()
        };
        let parameters = self.parameters.iter().map(|parameter| &parameter.name);
        f.debug_struct("Profile")
            .field("endpoint", &self.endpoint)
            .field("issuer", &self.issuer)
            .field("subject", &self.subject)
            .field("audience", &self.audience)
            .field("claims", &names(&self.claims))
            .field("header", &names(&self.header))
            .field("parameters", &parameters.collect::<Vec<_>>())
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}
