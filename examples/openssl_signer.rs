//! A key outside this crate: the command `openssl` signs, through the trait [`Signer`].
//!
//! ```sh
//! cargo run --example openssl_signer RS256 key.pem
//! cargo run --example openssl_signer ES256 ec-key.pem
//! ```
//!
//! An HSM or a cloud's KMS is connected in the same way: it gets the message or its hash, and returns a signature. An
//! ECDSA signature comes in DER, and JWS wants another form.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use jwt_bearer::{
    Algorithm, Audience, BoxError, Endpoint, Profile, Signer, ecdsa_signature_from_der,
};

struct OpenSsl {
    algorithm: Algorithm,
    key: PathBuf,
}

impl Signer for OpenSsl {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        let mut openssl = Command::new("openssl")
            .args(["dgst", "-sha256", "-sign"])
            .arg(&self.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut input = openssl
            .stdin
            .take()
            .ok_or("openssl has no standard input")?;
        input.write_all(message)?;
        drop(input); // the end of the message
        let output = openssl.wait_with_output()?;
        match (output.status.success(), self.algorithm) {
            (false, _) => Err("openssl did not sign".into()),
            (true, Algorithm::Es256) => {
                Ok(ecdsa_signature_from_der(self.algorithm, output.stdout)?)
            }
            (true, _) => Ok(output.stdout),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [algorithm, key] = arguments.as_slice() else {
        return Err("give RS256 or ES256, and a key file in PEM".into());
    };
    let signer = OpenSsl {
        algorithm: match algorithm.as_str() {
            "RS256" => Algorithm::Rs256,
            "ES256" => Algorithm::Es256,
            _ => return Err("the algorithm is neither RS256 nor ES256".into()),
        },
        key: key.into(),
    };
    let endpoint = Endpoint::token("https://as.example.com/token")?;
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    println!(
        "{}",
        profile.assertion(&signer, SystemTime::now())?.secret()
    );
    Ok(())
}
