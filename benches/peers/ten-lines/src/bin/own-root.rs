//! The ten lines of `main.rs` over TLS with a private root certificate.

use jwt_bearer::{Audience, Endpoint, Error, Profile, RsaKey, TokenSource};
use ureq::Agent;
use ureq::tls::{Certificate, TlsConfig};

fn main() -> Result<(), Error> {
    let [_, key, url, root] = std::env::args().collect::<Vec<_>>().try_into().unwrap();
    let key = RsaKey::from_pem(std::fs::read(key).unwrap())?;
    let root = Certificate::from_pem(&std::fs::read(root).unwrap()).unwrap();
    let tls = TlsConfig::builder().root_certs([root].into());
    let agent: Agent = Agent::config_builder()
        .proxy(None)
        .tls_config(tls.build())
        .build()
        .into();
    let endpoint = Endpoint::token(url).unwrap();
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    println!(
        "{}",
        TokenSource::with_transport(agent, profile, key)?
            .token()?
            .secret()
    );
    Ok(())
}
