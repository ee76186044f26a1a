//! Everything one authorization server wants, as data.
//!
//! A new server is a new constructor: a struct literal over `Profile::new`, which has all the
//! defaults. `profile/check.rs` refuses a profile that cannot work before anything is signed.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde_json::Value;
use zeroize::Zeroizing;

use self::hint::Hint;
use crate::endpoint::Endpoint;
use crate::signer::Algorithm;

mod check;
mod claims;
pub mod cylance;
pub(crate) mod hint;
pub(crate) mod identity;
pub mod marketing_cloud_intelligence;
pub mod salesforce;

/// The longest lifetime of a token that is believed. No server means a longer one: a larger number
/// is a mistake of units, or means "forever".
pub(crate) const MAX_TOKEN_LIFETIME: Duration = Duration::from_secs(31 * 24 * 3600);

/// What one authorization server wants of one client: endpoint, claims, header, parameters.
///
/// A constructor for a provider or one of the two generic constructors makes a profile, and the
/// `with_*` methods change it. [`TokenSource::new`](crate::TokenSource::new) and
/// [`Exchange::new`](crate::Exchange::new) check it.
#[derive(Clone)]
pub struct Profile {
    pub(crate) endpoint: Endpoint,
    pub(crate) issuer: String,
    pub(crate) subject: Option<String>,
    pub(crate) audience: Audience,
    /// How far `iat` lies before now; `None` leaves the claim out.
    pub(crate) iat_leeway: Option<Duration>,
    /// How far `exp` lies after now; `None` leaves the claim out.
    pub(crate) assertion_lifetime: Option<Duration>,
    /// The server refuses an assertion whose `exp` lies further after its `iat`.
    pub(crate) max_exp_after_iat: Duration,
    pub(crate) jti: Jti,
    /// The algorithms that the server accepts, the best first; none where it is not known.
    pub(crate) algorithms: Cow<'static, [Algorithm]>,
    /// Names with their values in JSON, sorted by name.
    pub(crate) claims: Vec<(String, String)>,
    pub(crate) typ: Option<String>,
    /// Names with their values in JSON, sorted by name.
    pub(crate) header: Vec<(String, String)>,
    /// Parameters that are sent beside the assertion.
    pub(crate) parameters: Vec<(Cow<'static, str>, Zeroizing<String>)>,
    /// The name of the parameter that carries the assertion.
    pub(crate) assertion_parameter: &'static str,
    pub(crate) placement: Placement,
    pub(crate) scope: Option<String>,
    pub(crate) scope_placement: ScopePlacement,
    /// The lifetime of a token whose response names none.
    pub(crate) token_lifetime: Duration,
    /// Whether the `exp` of the token itself is read where the response has no `expires_in` and the token is a JWT.
    pub(crate) reads_token: bool,
    /// Whether the server denies with `{"message": ...}` instead of RFC 6749 §5.2.
    pub(crate) denies_by_message: bool,
    /// Codes, and parts of their descriptions in lower case, by which this server says "later".
    pub(crate) transient_errors: &'static [(&'static str, &'static str)],
    pub(crate) hints: &'static [Hint],
}

/// What the claim `aud` contains.
///
/// It is always one string and never an array: RFC 7519 §4.1.3 allows both, but many servers accept
/// the string alone.
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
    /// No claim `jti`. The profile must then send `iat`, because two assertions without both could
    /// be the same.
    Omit,
    /// A random UUID with hyphens (RFC 9562 §5.4).
    Uuid,
    /// A random UUID as 32 hexadecimal digits.
    Hex,
}

/// Where a token request carries its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Placement {
    /// A form body (RFC 6749 §4.4.2).
    Form,
    /// One JSON object whose values are strings.
    Json,
    /// The query of a `POST` with an empty body. The assertion then appears in the logs of proxies
    /// and servers, and in ureq's log at level `trace`.
    Query,
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
            subject: Some(client_id.clone()),
            ..Self::new(endpoint, "client_assertion", client_id.clone(), audience)
        }
        .with_parameter("grant_type", "client_credentials")
        .with_parameter("client_id", client_id)
        .with_parameter(
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        )
    }

    /// Returns a profile for RFC 7523 §2.1: the assertion is the authorization grant.
    ///
    /// The access token acts on behalf of the [subject](Self::with_subject). `issuer` is usually
    /// the client id.
    pub fn jwt_bearer(endpoint: Endpoint, issuer: impl Into<String>, audience: Audience) -> Self {
        Self::new(endpoint, "assertion", issuer, audience)
            .with_parameter("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
    }

    /// Returns a profile with the defaults of every field.
    fn new(
        endpoint: Endpoint,
        assertion_parameter: &'static str,
        issuer: impl Into<String>,
        audience: Audience,
    ) -> Self {
        Self {
            endpoint,
            issuer: issuer.into(),
            subject: None,
            audience,
            iat_leeway: Some(Duration::ZERO),
            assertion_lifetime: Some(Duration::from_secs(60)),
            max_exp_after_iat: Duration::MAX,
            jti: Jti::Uuid,
            algorithms: Cow::Borrowed(&[]),
            claims: Vec::new(),
            typ: Some("JWT".to_owned()),
            header: Vec::new(),
            parameters: Vec::new(),
            assertion_parameter,
            placement: Placement::Form,
            scope: None,
            scope_placement: ScopePlacement::Parameter,
            token_lifetime: Duration::from_secs(300),
            reads_token: false, // RFC 9068 §6: a client must not inspect its access token
            denies_by_message: false,
            transient_errors: &[],
            hints: hint::COMMON,
        }
    }

    /// Sets the claim `sub`: the user or client that the token acts for.
    ///
    /// Defaults to the client id with [`client_credentials`](Self::client_credentials), to no
    /// claim with [`jwt_bearer`](Self::jwt_bearer), and to what the provider documents.
    #[must_use]
    pub fn with_subject(self, subject: impl Into<String>) -> Self {
        Self {
            subject: Some(subject.into()),
            ..self
        }
    }

    /// Sets the claim `aud`: the server that the assertion is meant for.
    ///
    /// Defaults to the constructor's argument, or to what the provider documents.
    #[must_use]
    pub fn with_audience(self, audience: Audience) -> Self {
        Self { audience, ..self }
    }

    /// Sets the scopes to ask for, separated by one space (RFC 6749 §3.3).
    ///
    /// Defaults to none.
    #[must_use]
    pub fn with_scope(self, scope: impl Into<String>) -> Self {
        Self {
            scope: Some(scope.into()),
            ..self
        }
    }

    /// Sets where the scopes are written, and in which form.
    ///
    /// Defaults to [`ScopePlacement::Parameter`]; for Cylance to an array in the claim `scp`.
    #[must_use]
    pub fn with_scope_placement(self, scope_placement: ScopePlacement) -> Self {
        Self {
            scope_placement,
            ..self
        }
    }

    /// Sets the algorithms that the server accepts, the best first.
    ///
    /// A key that signs another one is refused before anything is sent. An empty list accepts all.
    /// Defaults to what the provider documents, and to all with the generic constructors.
    #[must_use]
    pub fn with_algorithms(self, algorithms: impl Into<Vec<Algorithm>>) -> Self {
        Self {
            algorithms: algorithms.into().into(),
            ..self
        }
    }
    /// Returns the algorithms that the server accepts, the best first. An empty list means all.
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }
    /// Adds a claim that has the same value in every assertion.
    ///
    /// A value of `null` adds nothing. A name that is added twice, or that has a setting of its
    /// own, makes the profile invalid.
    #[must_use]
    pub fn with_claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        insert_sorted(&mut self.claims, name.into(), &value.into());
        self
    }

    /// Adds a parameter to the token request, such as `resource` (RFC 8707).
    ///
    /// No log, error or `Debug` output contains the value. It is also removed from a server's error
    /// texts, unless the RFCs define the parameter as no secret.
    #[must_use]
    pub fn with_parameter(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Self {
        self.parameters
            .push((name.into(), Zeroizing::new(value.into())));
        self
    }

    /// Sets where the token request carries its parameters.
    ///
    /// Defaults to [`Placement::Form`]; for Cylance to [`Placement::Json`].
    #[must_use]
    pub fn with_placement(self, placement: Placement) -> Self {
        Self { placement, ..self }
    }

    /// Sets the header member `typ` (RFC 7515 §4.1.9).
    ///
    /// Defaults to `JWT`. draft-ietf-oauth-rfc7523bis defines `client-authentication+jwt`.
    #[must_use]
    pub fn with_typ(self, typ: impl Into<String>) -> Self {
        Self {
            typ: Some(typ.into()),
            ..self
        }
    }

    /// Leaves the member `typ` out of the header.
    #[must_use]
    pub fn without_typ(self) -> Self {
        Self { typ: None, ..self }
    }

    /// Adds a header member, such as `x5t#S256` (RFC 7515 §4.1.8).
    ///
    /// A value of `null` adds nothing. The members `alg` and `kid` come from the
    /// [`Signer`](crate::Signer).
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        insert_sorted(&mut self.header, name.into(), &value.into());
        self
    }

    /// Sets how far `iat` lies before now, for a server whose clock is behind.
    ///
    /// `None` leaves the claim out. Claims are whole seconds (RFC 7519 §2). Defaults to zero; for
    /// Salesforce to `None`.
    #[must_use]
    pub fn with_iat_leeway(self, leeway: impl Into<Option<Duration>>) -> Self {
        Self {
            iat_leeway: leeway.into(),
            ..self
        }
    }

    /// Sets how far `exp` lies after now, at least one second.
    ///
    /// `None` leaves the claim out. Claims are whole seconds (RFC 7519 §2). Defaults to 60 seconds;
    /// for Salesforce to 120, for Cylance to 180, for Marketing Cloud Intelligence to `None`.
    #[must_use]
    pub fn with_assertion_lifetime(self, lifetime: impl Into<Option<Duration>>) -> Self {
        Self {
            assertion_lifetime: lifetime.into(),
            ..self
        }
    }

    /// Sets how the claim `jti` is written.
    ///
    /// Defaults to [`Jti::Uuid`]; for Marketing Cloud Intelligence to [`Jti::Hex`].
    #[must_use]
    pub fn with_jti(self, jti: Jti) -> Self {
        Self { jti, ..self }
    }

    /// Sets the lifetime of a token whose response names none, at most 31 days.
    ///
    /// Defaults to 300 seconds; for Salesforce to 900, for Cylance to 1800.
    #[must_use]
    pub fn with_token_lifetime(self, lifetime: Duration) -> Self {
        Self {
            token_lifetime: lifetime,
            ..self
        }
    }
}

/// Adds a member, unless it is `null`: an absent member is left out of a JWT.
fn insert_sorted(members: &mut Vec<(String, String)>, name: String, value: &Value) {
    if !value.is_null() {
        members.insert(sorted_position(members, &name), (name, value.to_string()));
    }
}

/// Returns the position of a new member among members that are sorted by name.
fn sorted_position(members: &[(String, String)], name: &str) -> usize {
    members.partition_point(|(other, _)| other.as_str() <= name)
}

/// Shows the names of claims, header members and parameters, and none of their values.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |members: &[(String, String)]| {
            members
                .iter()
                .map(|(name, _)| name.clone())
                .collect::<Vec<_>>()
        };
        let parameters: Vec<_> = self.parameters.iter().map(|(name, _)| name).collect();
        f.debug_struct("Profile")
            .field("endpoint", &self.endpoint)
            .field("issuer", &self.issuer)
            .field("subject", &self.subject)
            .field("audience", &self.audience)
            .field("claims", &names(&self.claims))
            .field("header", &names(&self.header))
            .field("parameters", &parameters)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}
