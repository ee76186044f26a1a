//! `jsonwebtoken` signs, blocking `reqwest` sends. `SSL_CERT_FILE` names a private root certificate.

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: u64,
    iat: u64,
    jti: String,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let [_, key, url] = std::env::args().collect::<Vec<_>>().try_into().unwrap();
    let key = EncodingKey::from_rsa_pem(&std::fs::read(key)?)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the system has random numbers");
    let claims = Claims {
        iss: "client-1",
        sub: "client-1",
        aud: &url,
        exp: now + 60,
        iat: now,
        jti: format!("{:032x}", u128::from_ne_bytes(random)),
    };
    let assertion = encode(&Header::new(Algorithm::RS256), &claims, &key)?;
    let parameters = [
        ("grant_type", "client_credentials"),
        ("client_id", "client-1"),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", &assertion),
    ];
    let response = reqwest::blocking::Client::new()
        .post(&url)
        .form(&parameters)
        .send()?
        .error_for_status()?;
    println!("{}", response.json::<Token>()?.access_token);
    Ok(())
}
