//! The methods that change a profile, in the order of an exchange.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use zeroize::Zeroizing;

use super::lifetime::{self, LifetimeUnit};
use super::response::{self, ErrorKindRule, ResponseMap};
use super::{
    AssertionPlacement, Audience, Issuer, Jti, OwnedParameter, Profile, ScopePlacement,
    insert_sorted,
};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::message::Response;
use crate::placement::{self, Placement};
use crate::signer::Algorithm;
use crate::token::TokenHeader;

impl Profile {
    /// Sets where the token endpoint is.
    ///
    /// Defaults to the constructor's argument, or to what the provider documents.
    #[must_use]
    pub fn with_endpoint(self, endpoint: Endpoint) -> Self {
        Self { endpoint, ..self }
    }

    /// Sets the claim `iss`: who signs.
    ///
    /// Defaults to the client id, or to what the provider documents.
    #[must_use]
    pub fn with_issuer(self, issuer: impl Into<String>) -> Self {
        Self {
            issuer: Issuer::Fixed(issuer.into()),
            ..self
        }
    }

    /// Leaves the claim `iss` out.
    #[must_use]
    pub fn without_issuer(self) -> Self {
        Self {
            issuer: Issuer::Omit,
            ..self
        }
    }

    /// Sets the claim `iss` to a text and the fingerprint of the signing key, as Snowflake wants it.
    ///
    /// The fingerprint is the SHA-256 of the public key in DER (`SubjectPublicKeyInfo`), in base64 with padding. If the
    /// key is replaced, the fingerprint follows.
    #[must_use]
    pub fn with_issuer_and_fingerprint(self, before: impl Into<String>) -> Self {
        Self {
            issuer: Issuer::WithFingerprint(before.into()),
            ..self
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

    /// Leaves the claim `sub` out.
    #[must_use]
    pub fn without_subject(self) -> Self {
        Self {
            subject: None,
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

    /// Sets how far `exp` lies after now, at least one second.
    ///
    /// `None` leaves the claim out. Claims are whole seconds (RFC 7519 §2). Defaults to 60 seconds,
    /// to 600 for [`self_signed`](Self::self_signed), or to what the provider documents.
    #[must_use]
    pub fn with_assertion_lifetime(self, lifetime: impl Into<Option<Duration>>) -> Self {
        Self {
            assertion_lifetime: lifetime.into(),
            ..self
        }
    }

    /// Sets how far `nbf` lies before now, for a server that requires the claim.
    ///
    /// `None` leaves the claim out, which is the default unless the provider documents another one. Claims are
    /// whole seconds (RFC 7519 §2).
    #[must_use]
    pub fn with_nbf_leeway(self, leeway: impl Into<Option<Duration>>) -> Self {
        Self {
            nbf_leeway: leeway.into(),
            ..self
        }
    }

    /// Sets how far `iat` lies before now, for a server whose clock is behind.
    ///
    /// `None` leaves the claim out. Claims are whole seconds (RFC 7519 §2). Defaults to zero, or to
    /// what the provider documents.
    #[must_use]
    pub fn with_iat_leeway(self, leeway: impl Into<Option<Duration>>) -> Self {
        Self {
            iat_leeway: leeway.into(),
            ..self
        }
    }

    /// Sets how the claim `jti` is written.
    ///
    /// Defaults to [`Jti::Uuid`], to [`Jti::Omit`] for [`self_signed`](Self::self_signed), or to what the provider
    /// documents.
    #[must_use]
    pub fn with_jti(self, jti: Jti) -> Self {
        Self { jti, ..self }
    }

    /// Adds a claim that has the same value in every assertion.
    ///
    /// A value of `null` adds nothing. A name that is added twice, or that has its own setting, makes the profile
    /// invalid.
    #[must_use]
    pub fn with_claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        insert_sorted(&mut self.claims, name.into(), &value.into());
        self
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

    /// Sets the algorithms that the server accepts, the best first.
    ///
    /// A key that signs with another algorithm is refused before anything is sent. An empty list accepts all. Defaults
    /// to what the provider documents, and to all with the generic constructors.
    #[must_use]
    pub fn with_algorithms(self, algorithms: impl Into<Vec<Algorithm>>) -> Self {
        Self {
            algorithms: algorithms.into().into(),
            ..self
        }
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
    /// Defaults to [`ScopePlacement::Parameter`], or to what the provider documents.
    #[must_use]
    pub fn with_scope_placement(self, scope_placement: ScopePlacement) -> Self {
        Self {
            scope_placement,
            ..self
        }
    }

    /// Sets where the token request carries the assertion.
    ///
    /// Defaults to the parameter of RFC 7523, or to what the provider documents.
    #[must_use]
    pub fn with_assertion_placement(self, assertion_placement: AssertionPlacement) -> Self {
        Self {
            assertion_placement,
            ..self
        }
    }

    /// Adds a parameter to the token request, such as `resource` (RFC 8707).
    ///
    /// A string is sent as it is, anything else as its JSON; `null` adds nothing. With [`Placement::JSON`] the name
    /// may be a JSON Pointer (RFC 6901): `/site/id` is the member `id` of the object `site`.
    ///
    /// No log, error or `Debug` output contains the value. It is also removed from a server's error texts, unless the
    /// parameter is documented as public, such as `resource`.
    #[must_use]
    pub fn with_parameter(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Value>,
    ) -> Self {
        let (value, is_json) = match value.into() {
            Value::Null => return self,
            Value::String(text) => (text, false),
            value => (value.to_string(), true),
        };
        self.parameters.push(OwnedParameter {
            name: name.into(),
            value: Zeroizing::new(value),
            is_json,
        });
        self
    }

    /// Leaves out a parameter that the constructor or [`with_parameter`](Self::with_parameter) has added.
    #[must_use]
    pub fn without_parameter(mut self, name: &str) -> Self {
        self.parameters.retain(|parameter| parameter.name != name);
        self
    }

    /// Sets where the token request carries its parameters.
    ///
    /// Defaults to [`Placement::FORM`], or to what the provider documents.
    #[must_use]
    pub fn with_placement(self, placement: Placement) -> Self {
        Self { placement, ..self }
    }

    /// Adds a header to the token request, replacing the crate's own header or an added one of that name.
    ///
    /// No log, error or `Debug` output contains the value.
    #[must_use]
    pub fn with_request_header(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Self {
        let name = name.into();
        self.request_headers
            .retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
        self.request_headers
            .push((name, Zeroizing::new(value.into())));
        self
    }

    /// Authenticates the client by HTTP Basic in addition to the assertion (RFC 6749 §2.3.1).
    #[must_use]
    pub fn with_basic_auth(self, client_id: &str, client_secret: &str) -> Self {
        // No string grows here, since that would leave copies behind.
        let mut pair = Zeroizing::new(String::with_capacity(
            client_id
                .len()
                .saturating_add(client_secret.len())
                .saturating_mul(3)
                .saturating_add(1),
        ));
        pair.extend(placement::form_encoded(client_id));
        pair.push(':');
        let secret_start = pair.len();
        pair.extend(placement::form_encoded(client_secret));
        let encoded_secret = pair.get(secret_start..).unwrap_or_default().to_owned();
        let pair = Zeroizing::new(STANDARD.encode(&*pair));
        let mut profile = self.with_request_header("Authorization", ["Basic ", &pair].concat());
        // A server may quote the secret as it was sent, or decoded.
        profile.encoded_secrets = [encoded_secret, client_secret.to_owned()]
            .map(Zeroizing::new)
            .into();
        profile
    }

    /// Sets which member of the response is the token: a name, or a JSON Pointer (RFC 6901) such as
    /// `/auth/client_token`.
    ///
    /// Defaults to `access_token`, or to what the provider documents.
    #[must_use]
    pub fn with_token_member(self, member: impl Into<Cow<'static, str>>) -> Self {
        self.map_response(|response| {
            response.body = Response::json;
            response.token_member = member.into();
        })
    }

    /// Reads the whole body of a successful response as the token, without a line end after it.
    #[must_use]
    pub fn with_text_response(self) -> Self {
        self.map_response(|response| {
            response.body = response::text_body;
            response.token_member = Cow::Borrowed(response::TEXT_BODY);
        })
    }

    /// Sets the header that carries the token to an API, such as `X-Vault-Token: {}`, where `{}` is the token.
    ///
    /// Defaults to `Authorization: Bearer {}` (RFC 6750 §2.1), or to what the provider documents.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if the line has no `{}`, or cannot be a header.
    pub fn with_token_header(self, line: &str) -> Result<Self, Error> {
        let header = TokenHeader::parse(line).ok_or_else(|| {
            Error::config("token-header: expected NAME: VALUE with {} where the token is")
        })?;
        Ok(self.map_response(|response| response.token_header = header))
    }

    /// Sets which member of the response has the lifetime in seconds: a name or a JSON Pointer.
    ///
    /// Defaults to `expires_in`, or to what the provider documents. If a member that is set here is absent, or is not a
    /// number above zero, a log record of level `warn` says so, and the token lives
    /// [as long as without one](Self::with_token_lifetime).
    #[must_use]
    pub fn with_expires_in(self, member: impl Into<Cow<'static, str>>) -> Self {
        self.with_lifetime_member(member.into(), lifetime::SECONDS)
    }

    /// Sets which member of the response has the lifetime in milliseconds: a name or a JSON Pointer.
    ///
    /// If the member is absent, or is not a number above zero, a log record of level `warn` says so, as with
    /// [`with_expires_in`](Self::with_expires_in).
    #[must_use]
    pub fn with_expires_in_milliseconds(self, member: impl Into<Cow<'static, str>>) -> Self {
        self.with_lifetime_member(member.into(), lifetime::MILLISECONDS)
    }

    /// Sets which member of the response has the expiry time: a name or a JSON Pointer.
    ///
    /// The time is an RFC 3339 date, or seconds since 1970.
    ///
    /// If the member is absent, cannot be read, or is not in the future, a log record of level `warn` says so, as with
    /// [`with_expires_in`](Self::with_expires_in). "Now" is the server's time if the response has a `Date`.
    #[must_use]
    pub fn with_expires_at(self, member: impl Into<Cow<'static, str>>) -> Self {
        self.with_lifetime_member(member.into(), lifetime::TIMESTAMP)
    }

    fn with_lifetime_member(self, member: Cow<'static, str>, unit: LifetimeUnit) -> Self {
        self.map_response(|response| {
            response.lifetime_member = member;
            response.lifetime_unit = unit;
            response.warn_of_lifetime = Some(response::warn_of_lifetime);
        })
    }

    /// Sets whether a JWT's own `exp` is its lifetime if the response names none.
    ///
    /// Defaults to no (RFC 9068 §6: a client must not inspect its access token).
    #[must_use]
    pub fn with_token_exp(self, is_read: bool) -> Self {
        self.map_response(|response| response.reads_token_exp = is_read)
    }

    /// Sets the lifetime of a token whose response names none, at most 31 days.
    ///
    /// Defaults to 300 seconds, or to what the provider documents.
    #[must_use]
    pub fn with_token_lifetime(self, lifetime: Duration) -> Self {
        self.map_response(|response| response.default_lifetime = lifetime)
    }

    /// Sets which member of an error response has the code: a name or a JSON Pointer.
    ///
    /// A response of status 2xx or 4xx that has this member is a refusal. Defaults to `error` (RFC 6749 §5.2).
    #[must_use]
    pub fn with_error_member(self, member: impl Into<Cow<'static, str>>) -> Self {
        self.map_response(|response| response.error_member = member.into())
    }

    /// Sets which member of an error response has the reason: a name or a JSON Pointer.
    ///
    /// A response of status 4xx that has this member is a refusal, with or without a code. By default the reason is
    /// found in `error_description` and a dozen other members, and none of them alone makes a response a refusal.
    #[must_use]
    pub fn with_error_description_member(self, member: impl Into<Cow<'static, str>>) -> Self {
        self.map_response(|response| response.error_description_member = Some(member.into()))
    }

    /// Makes an error code mean that the server cannot answer now, regardless of the status: the request is repeated.
    ///
    /// `temporarily_unavailable`, `server_error` and `internal_failure` mean this by default.
    #[must_use]
    pub fn with_unavailable_error(self, code: impl Into<Cow<'static, str>>) -> Self {
        self.with_kind_of_error(code.into(), ErrorKind::Unavailable)
    }

    /// Makes an error code mean that the server refuses, regardless of the status: the request is not repeated.
    #[must_use]
    pub fn with_denied_error(self, code: impl Into<Cow<'static, str>>) -> Self {
        self.with_kind_of_error(code.into(), ErrorKind::Denied)
    }

    fn with_kind_of_error(self, code: Cow<'static, str>, kind: ErrorKind) -> Self {
        let words = "";
        self.map_response(|response| {
            let rules = response.error_kind_rules.to_mut();
            rules.insert(0, ErrorKindRule { code, words, kind }); // the first that matches counts
        })
    }

    pub(crate) fn map_response(self, change: impl FnOnce(&mut ResponseMap)) -> Self {
        Self {
            response: self.response.with(change),
            ..self
        }
    }
}
