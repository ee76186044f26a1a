//! The ten lines of `main.rs` over TLS with a private root certificate, and with a new connection for each token.
//!
//! ```sh
//! own-root KEY.pem URL ROOT.pem [TOKENS]
//! ```

use jwt_bearer::{Audience, Endpoint, Error, Profile, RsaKey, TokenSource};
use ureq::Agent;
use ureq::tls::{Certificate, TlsConfig};

fn main() -> Result<(), Error> {
    let arguments = std::env::args().collect::<Vec<_>>();
    let [_, key, url, root, rest @ ..] = &arguments[..] else {
        panic!("usage: own-root KEY.pem URL ROOT.pem [TOKENS]");
    };
    let tokens = rest.first().map_or(1, |count| count.parse().unwrap());
    let key = RsaKey::from_pem(std::fs::read(key).unwrap())?;
    let root = Certificate::from_pem(&std::fs::read(root).unwrap()).unwrap();
    let tls = TlsConfig::builder().root_certs([root].into());
    let config = Agent::config_builder()
        .proxy(None)
        .max_idle_connections(0)
        .tls_config(tls.build());
    let endpoint = Endpoint::token(url).unwrap();
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    let source = TokenSource::with_transport(jwt_bearer::agent(config.build()), profile, key)?;
    for _ in 0..tokens {
        println!("{}", source.fetch_uncached()?.secret());
    }
    Ok(())
}
