//! Everything one authorization server wants, as data. A new server is a new constructor.
//!
//! A preset is a struct literal over [`Profile::new`], whose values are the defaults. What cannot
//! work is refused in `profile/check.rs`, before anything is signed.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde_json::Value;
use zeroize::Zeroizing;

use self::hint::Hint;
use crate::endpoint::Endpoint;

mod check;
mod claims;
pub mod cylance;
pub(crate) mod hint;
pub(crate) mod identity;
pub mod marketing_cloud_intelligence;
pub mod salesforce;

/// No server means a token to live longer; a larger number is a mistake of units or an attempt at
/// "forever".
pub(crate) const MAX_TOKEN_LIFETIME: Duration = Duration::from_secs(31 * 24 * 3600);

/// What one authorization server wants of one client: claims, endpoint, parameters.
///
/// Made by a preset or one of the two generic constructors, changed by `with_*`, checked when a
/// [`TokenSource`](crate::TokenSource) or an [`Exchange`](crate::Exchange) is made of it.
#[derive(Clone)]
pub struct Profile {
    pub(crate) endpoint: Endpoint,
    pub(crate) issuer: String,
    pub(crate) subject: Option<String>,
    pub(crate) audience: Audience,
    /// How far `iat` is set back, `exp` ahead; `None` leaves the claim out.
    pub(crate) iat: Option<Duration>,
    pub(crate) exp: Option<Duration>,
    /// The server refuses an `exp` further after `iat`.
    pub(crate) max_exp_after_iat: Duration,
    pub(crate) jti: Jti,
    /// Names and the JSON that is sent, sorted by name, as in the header.
    pub(crate) claims: Vec<(String, String)>,
    pub(crate) typ: Option<String>,
    pub(crate) header: Vec<(String, String)>,
    /// What is sent with the assertion, the name the assertion is sent under, and where they are
    /// placed.
    pub(crate) parameters: Vec<(Cow<'static, str>, Zeroizing<String>)>,
    pub(crate) assertion_parameter: &'static str,
    pub(crate) placement: Placement,
    pub(crate) scope: Option<String>,
    pub(crate) scope_placement: ScopePlacement,
    /// How long to believe a token whose response does not say, and whether to look for an `exp`
    /// in it first.
    pub(crate) token_lifetime: Duration,
    pub(crate) reads_token: bool,
    /// The server says no as `{"message": ...}` instead of RFC 6749 §5.2.
    pub(crate) denies_by_message: bool,
    /// Codes, and parts of their descriptions in lower case, by which this server says "later".
    pub(crate) transient_errors: &'static [(&'static str, &'static str)],
    pub(crate) hints: &'static [Hint],
}

/// What `aud` says: always one plain string, never an array (RFC 7519 §4.1.3 allows both, servers
/// do not).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Audience {
    /// No `aud`.
    Omit,
    /// This, to the letter.
    Fixed(String),
    /// The token endpoint's URL, which RFC 7523 §3 allows and many servers want.
    TokenEndpoint,
    /// The issuer that discovery found, which the revision of RFC 7523 asks for in client
    /// authentication.
    Issuer,
}

/// How `jti` is written. It is random, and new for every assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Jti {
    /// No `jti`. Then `iat` must be sent, or two assertions could be the same.
    Omit,
    /// A UUID with hyphens.
    Uuid,
    /// A UUID as 32 hexadecimal digits.
    Hex,
}

/// Where the parameters travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Placement {
    /// A form body: RFC 6749 §4.4.2.
    Form,
    /// One JSON object of strings.
    Json,
    /// The query of an empty `POST`. The assertion then shows up in the logs of proxies and
    /// servers, and in ureq's at level `trace`.
    Query,
}

/// Where a scope is written, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScopePlacement {
    /// The parameter `scope`: RFC 6749 §3.3.
    Parameter,
    /// A claim of this name, as an array of strings.
    ClaimArray(Cow<'static, str>),
    /// A claim of this name, as one string with a comma between scopes.
    ClaimWithCommas(Cow<'static, str>),
    /// A claim of this name, as one string with a space between scopes.
    ClaimWithSpaces(Cow<'static, str>),
}

impl Profile {
    /// RFC 7523 §2.2: the assertion authenticates a client that asks for a token of its own.
    ///
    /// There is no safe default for the audience: rfc7523bis asks for [`Audience::Issuer`],
    /// several servers want [`Audience::TokenEndpoint`].
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

    /// RFC 7523 §2.1: the assertion is the grant, on behalf of its [subject](Self::with_subject).
    pub fn jwt_bearer(endpoint: Endpoint, issuer: impl Into<String>, audience: Audience) -> Self {
        Self::new(endpoint, "assertion", issuer, audience)
            .with_parameter("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
    }

    /// All defaults, in one place.
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
            iat: Some(Duration::ZERO),
            exp: Some(Duration::from_secs(60)),
            max_exp_after_iat: Duration::MAX,
            jti: Jti::Uuid,
            claims: Vec::new(),
            typ: Some("JWT".to_owned()),
            header: Vec::new(),
            parameters: Vec::new(),
            assertion_parameter,
            placement: Placement::Form,
            scope: None,
            scope_placement: ScopePlacement::Parameter,
            token_lifetime: Duration::from_secs(300),
            reads_token: false, // RFC 9068 §6: a client must not look into its token
            denies_by_message: false,
            transient_errors: &[],
            hints: hint::COMMON,
        }
    }

    /// `sub`: on whose behalf. Defaults to none, or to what the preset's document says.
    #[must_use]
    pub fn with_subject(self, subject: impl Into<String>) -> Self {
        Self {
            subject: Some(subject.into()),
            ..self
        }
    }
    /// `aud`. Defaults to what the constructor was given, or to what the preset's document says.
    #[must_use]
    pub fn with_audience(self, audience: Audience) -> Self {
        Self { audience, ..self }
    }
    /// What for: scopes with a space between them (RFC 6749 §3.3). Defaults to none.
    #[must_use]
    pub fn with_scope(self, scope: impl Into<String>) -> Self {
        Self {
            scope: Some(scope.into()),
            ..self
        }
    }
    /// Where the scope is written. Defaults to a parameter; for Cylance to the claim `scp`, an
    /// array.
    #[must_use]
    pub fn with_scope_placement(self, scope_placement: ScopePlacement) -> Self {
        Self {
            scope_placement,
            ..self
        }
    }
    /// One more claim, the same in every assertion. `null` leaves it out.
    #[must_use]
    pub fn with_claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        add(&mut self.claims, name.into(), &value.into());
        self
    }
    /// One more parameter, such as `resource` (RFC 8707). Its value is printed nowhere, and cut out
    /// of a server's words unless the RFCs say that it is no secret.
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
    /// Where the parameters travel. Defaults to a form body; for Cylance to JSON.
    #[must_use]
    pub fn with_placement(self, placement: Placement) -> Self {
        Self { placement, ..self }
    }
    /// Header member `typ`. Defaults to `JWT`; the revision of RFC 7523 has
    /// `client-authentication+jwt`.
    #[must_use]
    pub fn with_typ(self, typ: impl Into<String>) -> Self {
        Self {
            typ: Some(typ.into()),
            ..self
        }
    }
    /// Leaves `typ` out of the header.
    #[must_use]
    pub fn without_typ(self) -> Self {
        Self { typ: None, ..self }
    }
    /// One more header member, such as `x5t#S256`. `null` leaves it out. `kid` belongs to the
    /// [`Signer`](crate::Signer).
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        add(&mut self.header, name.into(), &value.into());
        self
    }
    /// How far `iat` is set back, in whole seconds, for servers whose clock is behind; `None`
    /// leaves it out.
    ///
    /// Defaults to zero; for Salesforce it is left out.
    #[must_use]
    pub fn with_iat_leeway(self, leeway: impl Into<Option<Duration>>) -> Self {
        Self {
            iat: leeway.into(),
            ..self
        }
    }
    /// How far ahead `exp` lies, in whole seconds; `None` leaves it out.
    ///
    /// Defaults to 60 seconds; to 120 for Salesforce, to 180 for Cylance; for Marketing Cloud
    /// Intelligence it is left out.
    #[must_use]
    pub fn with_assertion_lifetime(self, lifetime: impl Into<Option<Duration>>) -> Self {
        Self {
            exp: lifetime.into(),
            ..self
        }
    }
    /// How `jti` is written. Defaults to a UUID with hyphens; for Marketing Cloud Intelligence
    /// without.
    #[must_use]
    pub fn with_jti(self, jti: Jti) -> Self {
        Self { jti, ..self }
    }
    /// How long to believe a token whose response does not say, at most 31 days.
    ///
    /// Defaults to 300 seconds; to 900 for Salesforce, to 1800 for Cylance.
    #[must_use]
    pub fn with_token_lifetime(self, lifetime: Duration) -> Self {
        Self {
            token_lifetime: lifetime,
            ..self
        }
    }
}

/// An absent member is absent, never `null`.
fn add(members: &mut Vec<(String, String)>, name: String, value: &Value) {
    if !value.is_null() {
        members.insert(place(members, &name), (name, value.to_string()));
    }
}

/// Where a member of this name stands: they are sorted by it, as they are sent.
fn place(members: &[(String, String)], name: &str) -> usize {
    members.partition_point(|(other, _)| other.as_str() <= name)
}

/// Names of claims, header members and parameters, without their values.
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
