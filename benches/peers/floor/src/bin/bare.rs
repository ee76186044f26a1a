//! Gets a token with the same packages but without the crate, and so without what the crate promises: wiped secrets,
//! limits, refused redirects, helpful errors.

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::signature::{RandomizedSigner as _, SignatureEncoding as _};

fn main() -> Result<(), Box<dyn Error>> {
    let [_, key, url] = std::env::args().collect::<Vec<_>>().try_into().unwrap();
    let key = pem::parse(std::fs::read(key)?).map_err(|error| error.to_string())?;
    let key = rsa::RsaPrivateKey::from_pkcs8_der(key.contents())?;
    let key = rsa::pkcs1v15::SigningKey::<rsa::sha2::Sha256>::new(key);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let mut random = [0; 16];
    getrandom::getrandom(&mut random)?;
    let jti = u128::from_ne_bytes(random);
    let claims = format!(
        r#"{{"iss":"client-1","sub":"client-1","aud":"{url}","exp":{},"iat":{now},"jti":"{jti:032x}"}}"#,
        now + 60
    );
    let [header, claims] =
        [r#"{"typ":"JWT","alg":"RS256"}"#, &claims].map(|json| BASE64_URL_SAFE_NO_PAD.encode(json));
    let message = format!("{header}.{claims}");
    let signature = key.sign_with_rng(&mut rsa::rand_core::OsRng, message.as_bytes());
    let signature = BASE64_URL_SAFE_NO_PAD.encode(signature.to_vec());
    let body = format!(
        "grant_type=client_credentials&client_id=client-1\
         &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
         &client_assertion={message}.{signature}"
    );
    let mut response = ureq::post(&url)
        .content_type("application/x-www-form-urlencoded")
        .send(&body)?;
    let response = response.body_mut().read_to_string()?;
    let response: serde_json::Value = serde_json::from_str(&response)?;
    println!("{}", response["access_token"].as_str().ok_or("no token")?);
    Ok(())
}
