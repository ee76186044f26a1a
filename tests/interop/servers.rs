//! Tokens from Authlib and oidc-provider with every flow that they support.

use jwt_bearer::{
    AccessToken, Audience, Endpoint, Error, ErrorKind, HmacKey, Profile, RsaKey, Signer,
    TokenSource,
};
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::support::{env, file, record};

/// A server of other authors with the clients `pkjwt`, `csjwt` and `bearer` and the user `alice`.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) issuer: String,
}

/// Returns the servers. oidc-provider is there twice, the second time over TLS.
#[track_caller]
pub(crate) fn servers() -> [Server; 3] {
    [
        ("Authlib", "INTEROP_AUTHLIB"),
        ("oidc-provider", "INTEROP_OIDC"),
        ("oidc-provider", "INTEROP_TLS"),
    ]
    .map(|(name, issuer)| Server {
        name,
        issuer: env(issuer),
    })
}

impl Server {
    pub(crate) fn token_endpoint(&self) -> Endpoint {
        Endpoint::token(format!("{}/token", self.issuer)).unwrap()
    }
    /// Returns a profile for this server with its token endpoint.
    pub(crate) fn profile(&self, flow: Flow) -> Profile {
        flow.profile(self.token_endpoint(), Audience::TokenEndpoint)
    }
    #[track_caller]
    pub(crate) fn source(&self, profile: Profile, key: impl Signer + 'static) -> TokenSource {
        TokenSource::with_transport(agent(), profile, key).unwrap()
    }
    /// Returns the name of a flow in `SEEN.md`.
    pub(crate) fn flow(&self, flow: Flow) -> String {
        match self.issuer.starts_with("https:") {
            true => format!("{}, over TLS", flow.name()),
            false => flow.name().to_owned(),
        }
    }
}

/// Returns an agent that trusts the root certificate of the run only.
#[track_caller]
pub(crate) fn agent() -> Agent {
    let text = file("keys/ca.pem");
    let root = parse_pem(text.as_bytes()).find_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let tls = TlsConfig::builder().root_certs(RootCerts::from([root.unwrap()]));
    let config = Agent::config_builder().proxy(None);
    config.tls_config(tls.build()).build().into()
}

/// The use of an assertion and the kind of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    ByKey,
    BySecret,
    Grant,
}

pub(crate) const FLOWS: [Flow; 3] = [Flow::ByKey, Flow::BySecret, Flow::Grant];

impl Flow {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ByKey => "client_credentials, RS256",
            Self::BySecret => "client_credentials, HS256",
            Self::Grant => "jwt-bearer, RS256",
        }
    }
    fn client(self) -> &'static str {
        match self {
            Self::ByKey => "pkjwt",
            Self::BySecret => "csjwt",
            Self::Grant => "bearer",
        }
    }
    pub(crate) fn profile(self, endpoint: Endpoint, audience: Audience) -> Profile {
        self.profile_for(self.client(), endpoint, audience)
    }
    pub(crate) fn profile_for(
        self,
        client: &str,
        endpoint: Endpoint,
        audience: Audience,
    ) -> Profile {
        let profile = match self {
            Self::ByKey | Self::BySecret => Profile::client_credentials(endpoint, client, audience),
            // oidc-provider reads the client from a parameter before it reads the grant.
            Self::Grant => Profile::jwt_bearer(endpoint, client, audience)
                .with_subject("alice")
                .with_parameter("client_id", client),
        };
        profile.with_scope("read")
    }
    #[track_caller]
    pub(crate) fn key(self) -> Box<dyn Signer> {
        match self {
            Self::ByKey | Self::Grant => Box::new(rsa("client")),
            Self::BySecret => Box::new(HmacKey::new(file("keys/secret.txt")).unwrap()),
        }
    }
}

/// Loads a key of the run, with the key id that the servers know.
#[track_caller]
pub(crate) fn rsa(name: &str) -> RsaKey {
    let key = RsaKey::from_pem(file(&format!("keys/{name}.pem"))).unwrap();
    key.with_key_id("client-key-1")
}

/// Returns status, code and description of a denial, and the line in the log of the server if there is one.
pub(crate) fn describe(outcome: &Result<AccessToken, Error>) -> String {
    let error = match outcome {
        Ok(token) if token.get("scope").is_none() => {
            return "a token without scope".to_owned();
        }
        Ok(_) => return "a token".to_owned(),
        Err(error) => error,
    };
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    let mut text = format!("{} {}", error.status().unwrap(), error.code().unwrap());
    if let Some(description) = error.description() {
        text += &format!(": {description}");
    }
    match error.response().unwrap().header("X-Cause") {
        None | Some("") => text,
        Some(cause) => format!("{text} (its log: {cause})"),
    }
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn every_flow_gets_a_token_with_each_endpoint_kind_and_audience() {
    for server in servers() {
        let issuer = &server.issuer;
        let document = |name| Endpoint::metadata(format!("{issuer}/.well-known/{name}")).unwrap();
        let endpoints = [
            server.token_endpoint(),
            Endpoint::issuer(&**issuer).unwrap(),
            document("oauth-authorization-server"),
            document("openid-configuration"),
        ];
        let audiences = [
            ("the token endpoint", Audience::TokenEndpoint),
            ("the issuer", Audience::Fixed(issuer.clone())),
        ];
        for flow in FLOWS {
            for (aud, audience) in &audiences {
                for endpoint in &endpoints {
                    let profile = flow.profile(endpoint.clone(), audience.clone());
                    let outcome = server.source(profile, flow.key()).token();
                    let token = outcome.unwrap_or_else(|error| {
                        panic!("{}, {flow:?}, {aud}, {endpoint:?}: {error:?}", server.name)
                    });
                    assert_eq!(token.get("expires_in"), Some("300"));
                    assert_eq!(token.scope(), Some("read"));
                }
                let case = format!(
                    "endpoint given, from the issuer, from each metadata document; aud is {aud}"
                );
                record(server.name, &server.flow(flow), &case, "a token for 300 s");
            }
        }
    }
}
