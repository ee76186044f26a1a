//! Tokens from Authlib and oidc-provider, and what they refuse.

use jwt_bearer::{Audience, Endpoint, Hs256, Profile, Rs256, Signer, TokenSource};

use crate::support::{env, file, seen};

/// A server that others wrote, with clients `pkjwt`, `csjwt` and `bearer`, and the user `alice`.
#[derive(Clone, Copy)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    /// The run's name for its issuer.
    pub(crate) issuer: &'static str,
}

pub(crate) const SERVERS: [Server; 2] = [
    Server {
        name: "Authlib",
        issuer: "INTEROP_AUTHLIB",
    },
    Server {
        name: "oidc-provider",
        issuer: "INTEROP_OIDC",
    },
];

/// What an assertion is for, and who signs it.
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
    pub(crate) fn profile(self, endpoint: Endpoint, audience: Audience) -> Profile {
        let profile = match self {
            Self::ByKey => Profile::client_credentials(endpoint, "pkjwt", audience),
            Self::BySecret => Profile::client_credentials(endpoint, "csjwt", audience),
            // oidc-provider looks a client up before it looks at the grant.
            Self::Grant => Profile::jwt_bearer(endpoint, "bearer", audience)
                .with_subject("alice")
                .with_parameter("client_id", "bearer"),
        };
        profile.with_scope("read")
    }
    pub(crate) fn key(self) -> Box<dyn Signer> {
        match self {
            Self::BySecret => Box::new(Hs256::new(file("keys/secret.txt")).unwrap()),
            _ => Box::new(rsa("client")),
        }
    }
}

/// A key that openssl made, under the name by which the servers know the client's.
#[track_caller]
pub(crate) fn rsa(name: &str) -> Rs256 {
    let key = Rs256::from_pem(file(&format!("keys/{name}.pem"))).unwrap();
    key.with_key_id("client-key-1")
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn every_flow_gets_a_token_by_either_metadata_document_and_either_audience() {
    for server in SERVERS {
        let issuer = env(server.issuer);
        let document = |name| Endpoint::metadata(format!("{issuer}/.well-known/{name}"));
        let endpoints = [
            Endpoint::token(format!("{issuer}/token")),
            Endpoint::issuer(&*issuer),
            document("oauth-authorization-server"),
            document("openid-configuration"),
        ];
        let audiences = [
            ("aud is the token endpoint", Audience::TokenEndpoint),
            ("aud is the issuer", Audience::Fixed(issuer.clone())),
        ];
        for flow in FLOWS {
            for (case, audience) in &audiences {
                for endpoint in &endpoints {
                    let profile = flow.profile(endpoint.clone(), audience.clone());
                    let outcome = TokenSource::new(profile, flow.key()).unwrap().token();
                    let token = outcome.unwrap_or_else(|error| {
                        panic!("{}, {flow:?}, {case}, {endpoint:?}: {error:?}", server.name)
                    });
                    assert_eq!(token.get("expires_in"), Some("300"));
                    assert_eq!(token.scope(), Some("read"));
                }
                let case = format!("endpoint given, by issuer, by either document alone; {case}");
                seen(server.name, flow.name(), &case, "a token for 300 s");
            }
        }
    }
}
