//! A key outside this crate: `ring` signs, through the trait [`Signer`].
//!
//! ```sh
//! openssl rsa -in key.pem -outform DER -out key.der
//! cargo run --example ring_signer key.der
//! ```
//!
//! An HSM or a cloud's KMS is connected in the same way. `ring` adds no package, since ureq's rustls uses it. It signs
//! three times as fast as `rsa` (benches/README.md), which matters for thousands of signatures a second, and its
//! arithmetic is constant-time (see RUSTSEC-2023-0071 in SECURITY.md).

use std::time::SystemTime;

use jwt_bearer::{Algorithm, Audience, BoxError, Endpoint, Profile, RsaKey, Signer};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

struct Ring(RsaKeyPair);

impl Signer for Ring {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Rs256
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        (self.0)
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message,
                &mut signature,
            )
            .map_err(|_| "ring could not sign")?;
        Ok(signature)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("give a private key in DER")?;
    let der = std::fs::read(file)?;
    let key = RsaKeyPair::from_pkcs8(&der).or_else(|_| RsaKeyPair::from_der(&der));
    let ring = Ring(key.map_err(|e| e.to_string())?);

    let endpoint = Endpoint::token("https://as.example.com/token")?;
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    let assertion = profile.assertion(&ring, SystemTime::now())?;

    // A PKCS#1 v1.5 signature is deterministic, so both must be equal.
    let (message, _) = assertion.secret().rsplit_once('.').ok_or("no JWT")?;
    let own = RsaKey::from_der(&der)?;
    assert_eq!(
        ring.sign(message.as_bytes()).ok(),
        own.sign(message.as_bytes()).ok()
    );
    println!("{}", assertion.secret());
    Ok(())
}
