//! The HTTP agent of the command line: the proxy of the environment, and an additional root certificate.

use std::path::Path;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Proxy};

use crate::files;
use crate::output::Failure;

/// Returns an agent that uses the environment's proxy and trusts the certificates in `ca` too.
pub(crate) fn build(ca: Option<&Path>) -> Result<Agent, Failure> {
    let mut config = Agent::config_builder().proxy(Proxy::try_from_env());
    if let Some(file) = ca {
        let tls = TlsConfig::builder().root_certs(roots_with(file)?);
        config = config.tls_config(tls.build());
    }
    Ok(config.build().into())
}

/// Returns Mozilla's roots and the certificates of a file.
fn roots_with(file: &Path) -> Result<RootCerts, Failure> {
    let text = files::read(file)?;
    let added: Vec<_> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if added.is_empty() {
        return Err(Failure::config(format!(
            "{}: there is no certificate in this",
            file.display()
        )));
    }
    let mozilla = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    let mozilla = mozilla.map(|der| Certificate::from_der(der).to_owned());
    Ok(RootCerts::from(mozilla.chain(added)))
}
