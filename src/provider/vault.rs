//! HashiCorp Vault and OpenBao: JWT authentication.
//!
//! - Login: <https://developer.hashicorp.com/vault/api-docs/auth/jwt>
//! - Roles: <https://developer.hashicorp.com/vault/docs/auth/jwt>
//! - Errors: <https://github.com/hashicorp/vault-plugin-auth-jwt/blob/main/path_login.go>,
//!   <https://github.com/hashicorp/cap/blob/main/jwt/jwt.go>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{Input, InputValue, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::placement::Placement;
use crate::profile::hint::{Hint, RATE_LIMITED};
use crate::profile::response::ResponseMap;
use crate::profile::{AssertionPlacement, Audience, Profile, text_parameter};
use crate::signer::Algorithm;
use crate::token::TokenHeader;

impl Profile {
    /// Returns a profile for the JWT authentication of HashiCorp Vault or OpenBao.
    ///
    /// `address` is the server's address, such as `https://vault.example.com:8200`. `mount` is the path at which the
    /// method is enabled, `jwt` unless an administrator chose another one. `role` has a user claim, `sub` in most
    /// cases: [`with_subject`](Self::with_subject) or [`with_claim`](Self::with_claim) sets it, and
    /// [`with_issuer`](Self::with_issuer) sets the issuer that the method is bound to.
    ///
    /// There is no `aud`, because Vault refuses one that the role does not bind. If the role binds audiences,
    /// [`with_audience`](Self::with_audience) sets one of them. A namespace goes into the header `X-Vault-Namespace`:
    /// [`with_request_header`](Self::with_request_header).
    ///
    /// The token goes to an API in the header `X-Vault-Token`. A lifetime of zero means that the token never expires;
    /// then it is kept for a day, or for as long as [`with_token_lifetime`](Self::with_token_lifetime) sets. The login
    /// and the use of its token were tested against OpenBao 2.7, but not against HashiCorp's own server.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the address may not carry an assertion.
    pub fn vault(
        address: impl AsRef<str>,
        mount: impl AsRef<str>,
        role: impl Into<String>,
    ) -> Result<Self, Error> {
        let path = format!("/v1/auth/{}/login", mount.as_ref().trim_matches('/'));
        let endpoint = Endpoint::at_path("address", address.as_ref(), &path)?;
        Ok(Self {
            algorithms: Cow::Borrowed(Algorithm::ASYMMETRIC),
            assertion_placement: AssertionPlacement::Parameter(Cow::Borrowed("jwt")),
            parameters: vec![text_parameter("role", role)],
            placement: Placement::JSON,
            response: ResponseMap {
                token_member: Cow::Borrowed("/auth/client_token"),
                token_header: TokenHeader::new("X-Vault-Token", ""),
                lifetime_member: Cow::Borrowed("/auth/lease_duration"),
                default_lifetime: Duration::from_secs(24 * 3600),
                error_description_member: Some(Cow::Borrowed("/errors/0")),
                ..ResponseMap::default()
            }
            .into(),
            hints: HINTS,
            ..Self::new(endpoint, Audience::Omit)
        })
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "vault",
    about: "HashiCorp Vault or OpenBao, JWT authentication.",
    documents: &["https://developer.hashicorp.com/vault/api-docs/auth/jwt"],
    inputs: &[
        Input::required("address", "URL", "The server's address, as in VAULT_ADDR."),
        Input::required("role", "NAME", "The role to log in with."),
        Input::with_default(
            "mount",
            InputValue::Text("PATH"),
            "The path at which the method is enabled.",
            "jwt",
        ),
        Input::optional(
            "namespace",
            InputValue::Text("NAME"),
            "The namespace, as in VAULT_NAMESPACE.",
        ),
    ],
    construct: |inputs| {
        let (address, mount) = (inputs.text("address"), inputs.text("mount"));
        let profile = Profile::vault(address, mount, inputs.text("role"))?;
        Ok(match inputs.get("namespace") {
            Some(namespace) => profile.with_request_header("X-Vault-Namespace", namespace),
            None => profile,
        })
    },
    ..Provider::NEW
};

const CLOCK: &str = "check this machine's clock and the server's";

/// From the source of the server's plug-in and its library. The errors have no codes.
const HINTS: &[Hint] = &[
    Hint::words("missing role").advice("name a role, or set a default role"),
    Hint::words("could not be found")
        .advice("check the name of the role, the mount and the namespace"),
    Hint::words("no audiences bound")
        .advice("leave the audience out, or bind it: bound_audiences of the role"),
    Hint::words("audience").advice("set one of the role's bound_audiences as audience"),
    Hint::words("invalid issuer").advice("set the issuer that bound_issuer of the method names"),
    Hint::words("invalid subject").advice("set the subject that bound_subject of the role names"),
    Hint::words("(alg)").advice("sign with one of jwt_supported_algs of the method"),
    Hint::words("(exp)").advice(CLOCK),
    Hint::words("(nbf)").advice(CLOCK),
    Hint::words("(iat)").advice(CLOCK),
    Hint::words("error validating token")
        .advice("check jwt_validation_pubkeys or the JWKS of the method"),
    Hint::words("error validating claims")
        .advice("compare the claims with bound_claims and bound_subject of the role"),
    Hint::words("not found in token")
        .advice("set the claim that the role's user_claim names, such as the subject"),
    Hint::code("403").advice("check the namespace, and that the method is enabled at this mount"),
    Hint::code("404").advice("check the namespace, and that the method is enabled at this mount"),
    Hint::code("429").advice(RATE_LIMITED),
    Hint::code("503").advice("the server is sealed or in maintenance: ask its administrator"),
    Hint::code("400").advice("check role, mount and claims"),
];
