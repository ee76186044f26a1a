//! Gets a token from any server that takes RFC 7523 assertions, configured by environment variables.
//!
//! ```sh
//! ISSUER=https://as.example.com CLIENT_ID=client-1 KEY=key.pem cargo run --example token
//! ```
//!
//! | Variable | Meaning |
//! |---|---|
//! | `ISSUER`, `METADATA` or `TOKEN_ENDPOINT` | URL of the issuer, of a metadata document, or of the token endpoint |
//! | `CLIENT_ID` | the client's id for `client_credentials`; with `SUBJECT` the issuer of a `jwt-bearer` grant |
//! | `SUBJECT` | the user to act for; makes it a `jwt-bearer` grant |
//! | `KEY` or `SECRET` | a file with a PEM private key, or with the bytes of an HMAC secret |
//! | `KEY_ID`, `SCOPE` | `kid`, and the scopes with a space between them |
//! | `AUDIENCE` | `aud`; defaults to the issuer with `ISSUER`, else to the token endpoint |
//! | `SIGN_AT` | Unix seconds: signs as if it were that time, to see how the server responds |

use std::env::var;
use std::error::Error as _;
use std::time::{Duration, SystemTime};
use std::{fs, process};

use jwt_bearer::{
    Audience, Endpoint, Error, HmacKey, ManualClock, Profile, RsaKey, Signer, TokenSource,
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn source() -> Result<TokenSource> {
    let (endpoint, audience) = match (var("ISSUER"), var("METADATA"), var("TOKEN_ENDPOINT")) {
        (Ok(issuer), ..) => (Endpoint::issuer(issuer)?, Audience::Issuer),
        (_, Ok(url), _) => (Endpoint::metadata(url)?, Audience::TokenEndpoint),
        (.., Ok(url)) => (Endpoint::token(url)?, Audience::TokenEndpoint),
        _ => return Err("set ISSUER, METADATA or TOKEN_ENDPOINT".into()),
    };
    let audience = var("AUDIENCE").map_or(audience, Audience::Fixed);
    let client_id = var("CLIENT_ID").map_err(|_| "set CLIENT_ID")?;

    let mut profile = match var("SUBJECT") {
        Err(_) => Profile::client_credentials(endpoint, client_id, audience),
        Ok(subject) => Profile::jwt_bearer(endpoint, client_id.clone(), audience)
            .with_subject(subject)
            .with_parameter("client_id", client_id),
    };
    if let Ok(scope) = var("SCOPE") {
        profile = profile.with_scope(scope);
    }

    let kid = var("KEY_ID").ok();
    let key: Box<dyn Signer> = match (var("KEY"), var("SECRET")) {
        (Ok(file), _) => {
            let key = RsaKey::from_pem(fs::read(file)?)?;
            key.repairs()
                .iter()
                .for_each(|r| eprintln!("repaired: {r}"));
            Box::new(kid.into_iter().fold(key, RsaKey::with_key_id))
        }
        (_, Ok(file)) => {
            let key = HmacKey::new(fs::read(file)?)?;
            Box::new(kid.into_iter().fold(key, HmacKey::with_key_id))
        }
        _ => return Err("set KEY or SECRET".into()),
    };

    let source = TokenSource::new(profile, key)?;
    Ok(match var("SIGN_AT") {
        Ok(seconds) => {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.parse()?);
            source.with_clock(ManualClock::new(time))
        }
        Err(_) => source,
    })
}

fn explain(error: &Error) {
    eprintln!("{:?}: {error}", error.kind());
    let mut cause = error.source();
    while let Some(e) = cause {
        eprintln!("  caused by: {e}");
        cause = e.source();
    }
    error.hint().inspect(|hint| eprintln!("  {hint}"));
}

fn main() -> Result<()> {
    match source()?.token() {
        Ok(token) => {
            let lifetime = token.expires_at().duration_since(SystemTime::now());
            let seconds = lifetime.unwrap_or_default().as_secs();
            eprintln!("scope {:?}, expires in {seconds} s", token.scope());
            println!("{}", token.secret());
            Ok(())
        }
        Err(error) => {
            explain(&error);
            process::exit(1)
        }
    }
}
