//! TLS under a root certificate that is made at start. Its private key is dropped after it has signed one certificate.

use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The certificates of a server.
pub(super) struct Identity {
    pub(super) config: Arc<ServerConfig>,
    /// The root certificate in PEM.
    pub(super) root: String,
}

impl Identity {
    /// Makes a root certificate and a certificate for `address` and `localhost`.
    ///
    /// # Errors
    /// When no key can be made, because there are no random numbers.
    pub(super) fn new(address: IpAddr) -> io::Result<Self> {
        let root = root().map_err(io::Error::other)?;
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params(address)
            .and_then(|params| params.signed_by(&key, &root))
            .map_err(io::Error::other)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(io::Error::other)?;
        let config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .and_then(|builder| {
                    let chain = vec![certificate.der().clone()];
                    builder.with_no_client_auth().with_single_cert(chain, key)
                })
                .map_err(io::Error::other)?;
        let root = pem::Pem::new("CERTIFICATE", root.der().to_vec());
        Ok(Self {
            config: Arc::new(config),
            root: pem::encode(&root),
        })
    }
}

fn root() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let name = "jwt-bearer sandbox";
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

/// Python 3.13 and later require the identifier of the authority's key.
fn params(address: IpAddr) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new([address.to_string(), "localhost".to_owned()])?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// A connection with or without TLS.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    /// # Errors
    /// When there is no memory for a connection.
    pub(super) fn new(stream: TcpStream, config: Option<&Arc<ServerConfig>>) -> io::Result<Self> {
        let Some(config) = config else {
            return Ok(Self::Plain(stream));
        };
        let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
        Ok(Self::Tls(Box::new(StreamOwned::new(connection, stream))))
    }
    /// Tells the client that no bytes follow.
    ///
    /// # Errors
    /// When the connection fails.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if let Self::Tls(stream) = self {
            stream.conn.send_close_notify();
        }
        self.flush()
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(bytes),
            Self::Tls(stream) => stream.read(bytes),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
