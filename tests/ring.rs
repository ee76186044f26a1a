//! The crate with `ring` in place of `rsa`: every kind of key signs, and the sandbox issues a token for it.
#![cfg(all(feature = "ring", feature = "sandbox", feature = "ureq"))]

use jwt_bearer::sandbox::{self, Client, Server};
use jwt_bearer::{
    Algorithm, Audience, EcKey, Ed25519Key, Endpoint, Key, Profile, RingRsaKey, RsaAlgorithm,
    Signer, TokenSource,
};

/// The sandbox issues a token for an assertion of `signer`, whose public key is `public`.
#[track_caller]
fn gets_a_token(signer: impl Signer + 'static, public: &str) {
    let server = Server::start().unwrap();
    let key = sandbox::Key::public_pem(public).unwrap();
    let key = key.with_algorithm(signer.algorithm());
    server.register(Client::new("client-1", key).with_scope("read"));
    let endpoint = Endpoint::token(server.token_endpoint()).unwrap();
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    let profile = profile.with_scope("read");
    let token = TokenSource::new(profile, signer).unwrap().token().unwrap();
    assert_eq!(token.scope(), Some("read"));
}

#[test]
fn ec_and_ed25519_keys_get_tokens() {
    let key = EcKey::read(include_bytes!("data/keys/ec.pem")).unwrap();
    gets_a_token(key, include_str!("data/keys/ec.pub.pem"));
    let key = EcKey::read(include_bytes!("data/keys/ec-384-pkcs8.pem")).unwrap();
    gets_a_token(key, include_str!("data/keys/ec-384.pub.pem"));
    let key = Ed25519Key::read(include_bytes!("data/keys/ed25519.pem")).unwrap();
    gets_a_token(key, include_str!("data/keys/ed25519.pub.pem"));
}

#[test]
fn rsa_key_gets_a_token_with_each_algorithm() {
    for algorithm in [
        RsaAlgorithm::RS256,
        RsaAlgorithm::RS384,
        RsaAlgorithm::RS512,
        RsaAlgorithm::PS256,
        RsaAlgorithm::PS384,
        RsaAlgorithm::PS512,
    ] {
        let key = RingRsaKey::read(include_bytes!("data/keys/rsa-2048.der")).unwrap();
        gets_a_token(
            key.with_algorithm(algorithm),
            include_str!("data/keys/rsa-2048.pub.pem"),
        );
    }
}

#[test]
fn key_of_any_kind_is_read_without_rsa() {
    let key = Key::read(include_bytes!("data/keys/rsa-2048.der")).unwrap();
    #[cfg(not(feature = "rsa"))]
    assert!(matches!(key, Key::RingRsa(_)));
    assert_eq!(key.algorithm(), Algorithm::Rs256);
    gets_a_token(key, include_str!("data/keys/rsa-2048.pub.pem"));
}

/// The sandbox refuses what another key signed.
#[test]
fn assertion_of_another_key_is_denied() {
    let server = Server::start().unwrap();
    let public = sandbox::Key::public_pem(include_str!("data/keys/ec-2.pub.pem")).unwrap();
    server.register(Client::new("client-1", public));
    let endpoint = Endpoint::token(server.token_endpoint()).unwrap();
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    let key = EcKey::read(include_bytes!("data/keys/ec.pem")).unwrap();
    let error = TokenSource::new(profile, key).unwrap().token().unwrap_err();
    assert_eq!(error.code(), Some("invalid_client"));
}
