//! Keycloak and the Red Hat build of it: clients with a signed JWT, by a key pair or by the client secret.
//!
//! - Client authentication: <https://www.keycloak.org/docs/latest/server_admin/#_client-credentials>
//! - Endpoints: <https://www.keycloak.org/securing-apps/oidc-layers>
//! - What is checked: <https://github.com/keycloak/keycloak/blob/main/services/src/main/java/org/keycloak/authentication/authenticators/client/AbstractBaseJWTValidator.java>

use std::borrow::Cow;

use super::definition::{Input, KeyKind, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Jti, Limits, Profile};
use crate::signer::Algorithm;

impl Profile {
    /// Returns a profile for a realm of Keycloak.
    ///
    /// `base_url` is the server's address, such as `https://keycloak.example.com`; old servers and some new ones add
    /// `/auth`. The client authenticates by "Signed JWT", or by "Signed JWT with client secret": then the key is an
    /// [`HmacKey`](crate::HmacKey) of the secret.
    ///
    /// The audience is the realm's address, `BASE_URL/realms/REALM`. If the realm's metadata prints another issuer,
    /// because the server is reached by an internal name, [`with_audience`](Self::with_audience) sets that one.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the base URL may not carry an assertion.
    pub fn keycloak(
        base_url: impl AsRef<str>,
        realm: impl AsRef<str>,
        client_id: impl Into<String>,
    ) -> Result<Self, Error> {
        let base = base_url.as_ref().trim_end_matches('/');
        let realm = format!("{base}/realms/{}", realm.as_ref());
        let path = "/protocol/openid-connect/token";
        Ok(Self {
            algorithms: Cow::Borrowed(ALGORITHMS),
            limits: &LIMITS,
            hints: HINTS,
            ..Self::client_credentials(
                Endpoint::at_path("realm", &realm, path)?,
                client_id,
                Audience::Fixed(realm),
            )
        })
    }
}

/// RS256 first, since a client without its own setting accepts any.
const ALGORITHMS: &[Algorithm] = &[
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::EdDsa,
    Algorithm::Hs256,
    Algorithm::Hs384,
    Algorithm::Hs512,
];

pub(super) const PROVIDER: Provider = Provider {
    name: "keycloak",
    about: "Keycloak, with a signed JWT as client authentication.",
    documents: &[
        "https://www.keycloak.org/docs/latest/server_admin/#_client-credentials",
        "https://www.keycloak.org/securing-apps/oidc-layers",
    ],
    key: KeyKind::Any,
    inputs: &[
        Input::required(
            "base-url",
            "URL",
            "The server's address, with /auth behind it where the server has that.",
        ),
        Input::required("realm", "NAME", "The realm."),
        Input::required("client-id", "ID", "The client ID."),
    ],
    construct: |inputs| {
        let (base_url, realm) = (inputs.text("base-url"), inputs.text("realm"));
        Profile::keycloak(base_url, realm, inputs.text("client-id"))
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    check: |profile| match (&profile.audience, profile.jti, profile.assertion_lifetime) {
        (Audience::TokenEndpoint | Audience::Omit, ..) => Err(
            "Keycloak wants the realm's issuer as audience: set it to BASE_URL/realms/REALM, as the realm's metadata prints it",
        ),
        (_, Jti::Omit, _) => Err("Keycloak wants a new jti in every assertion: set jti to uuid"),
        (_, _, None) => Err("Keycloak wants exp: set the lifetime of the assertion"),
        _ => Ok(()),
    },
    ..Limits::NONE
};

/// From the server's source.
const HINTS: &[Hint] = &[
    Hint::code("invalid_client")
        .and_words("invalid token audience")
        .advice("set the audience to the realm's issuer, as the realm's metadata prints it"),
    Hint::code("invalid_client")
        .and_words("multiple audiences")
        .advice("set the audience to one text: the realm's issuer"),
    Hint::code("invalid_client")
        .and_words("token reuse")
        .advice("the server got this assertion twice: look for what repeats requests on the way"),
    Hint::code("invalid_client")
        .and_words("too far in the future")
        .advice("send iat, or shorten the lifetime of the assertion"),
    Hint::code("invalid_client")
        .and_words("claim is required")
        .advice("leave sub, exp and jti as the profile sets them"),
    Hint::code("invalid_client")
        .and_words("issued in the future")
        .advice("check this machine's clock"),
    Hint::code("invalid_client")
        .and_words("not active")
        .advice("check this machine's clock"),
    Hint::code("invalid_client")
        .and_words("unable to load public key")
        .advice("import the certificate, or set the JWKS URL, on the client's tab Keys; where that has many keys, set the key id"),
    Hint::code("invalid_client")
        .and_words("signature algorithm")
        .advice("sign with the algorithm that is set in the client's tab Credentials, or change it there"),
    Hint::code("invalid_client")
        .advice("set the client's authenticator to Signed JWT, and check client id, realm, key and this machine's clock; the server's log says more"),
    Hint::code("unauthorized_client")
        .and_words("service account")
        .advice("switch on Service account roles for the client"),
    Hint::code("unauthorized_client")
        .advice("switch on Client authentication and Service account roles for the client, and check its key"),
    Hint::code("invalid_scope")
        .advice("add the scopes to the client's tab Client scopes"),
    Hint::code("invalid_request")
        .advice("check the parameters that are added: client_id must be that of the assertion"),
    Hint::code("Realm does not exist")
        .advice("check the base URL, with or without /auth, and the realm"),
];
