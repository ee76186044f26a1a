//! TLS that says which names a refused certificate has.
//!
//! ureq makes rustls' settings itself, and shows nobody a refused certificate. So the command line makes the settings.

use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::{fmt, io, time};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, ProtocolVersion,
    SignatureScheme, StreamOwned,
};
use ureq::Error;
use ureq::unversioned::transport::time::{Duration, Instant};
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, LazyBuffers, NextTimeout,
    SocksConnector, TcpConnector, Transport, TransportAdapter,
};

use crate::failure::Failure;
use crate::roots::Roots;

/// The most names of a certificate that are shown: that of a content network has hundreds.
const MAX_NAMES: usize = 5;
/// A name that no certificate has (RFC 2606 §2). rustls lists the names that a certificate has instead.
const OTHER_NAME: &str = "nobody.invalid";

/// Adds TLS to the connection for an https URL.
#[derive(Clone, Debug)]
pub(crate) struct TlsConnector(Arc<Tls>);

/// The settings of TLS, made when the first connection needs them.
#[derive(Debug)]
struct Tls {
    roots: Roots,
    settings: OnceLock<Settings>,
}

#[derive(Debug)]
struct Settings {
    config: Arc<ClientConfig>,
    verifier: Arc<Verifier>,
}

impl Settings {
    /// # Errors
    /// If there is no root, or a file with certificates is unusable.
    fn new(roots: &Roots) -> Result<Self, Failure> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::new(roots.read()?);
        let inner = WebPkiServerVerifier::builder_with_provider(roots, provider.clone());
        let inner = inner.build().map_err(|error| {
            Failure::config(format!("no root certificate can be used: {error}"))
        })?;
        let verifier = Arc::new(Verifier {
            inner,
            refused: Mutex::default(),
            handshake: Mutex::default(),
        });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::config(error.to_string()))?
            .dangerous() // rustls' word for any verifier but its own
            .with_custom_certificate_verifier(verifier.clone())
            .with_no_client_auth();
        let config = Arc::new(config);
        Ok(Self { config, verifier })
    }
}

impl TlsConnector {
    /// Returns a connector that trusts these roots. It reads them when the first connection needs them.
    pub(crate) fn new(roots: Roots) -> Self {
        let settings = OnceLock::new();
        Self(Arc::new(Tls { roots, settings }))
    }

    /// Reads the roots now, so that what is wrong with them is known before anything is sent.
    ///
    /// # Errors
    /// If there is no root, or a file with certificates is unusable.
    pub(crate) fn prepare(&self) -> Result<(), Failure> {
        self.settings().map(|_| ())
    }

    fn settings(&self) -> Result<&Settings, Failure> {
        match self.0.settings.get() {
            Some(settings) => Ok(settings),
            None => {
                let settings = Settings::new(&self.0.roots)?;
                Ok(self.0.settings.get_or_init(|| settings))
            }
        }
    }

    /// Returns the last handshake that showed a certificate.
    pub(crate) fn take_handshake(&self) -> Option<Handshake> {
        self.0.settings.get()?.verifier.handshake().take()
    }

    /// Returns whether a server shows any certificate.
    pub(crate) fn is_spoken_at(&self, address: &SocketAddr, time: time::Duration) -> bool {
        let Ok(settings) = self.settings() else {
            return false;
        };
        let handshake = || -> io::Result<()> {
            if time.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let mut stream = TcpStream::connect_timeout(address, time)?;
            stream.set_read_timeout(Some(time))?;
            stream.set_write_timeout(Some(time))?;
            let name = ServerName::IpAddress(address.ip().into());
            let connection = ClientConnection::new(settings.config.clone(), name);
            let mut connection = connection.map_err(io::Error::other)?;
            connection.complete_io(&mut stream).map(drop)
        };
        self.take_handshake();
        let outcome = handshake();
        settings.verifier.take_refused();
        self.take_handshake().is_some() || outcome.is_ok()
    }

    /// Returns a connector for an agent, through a proxy if the agent has one.
    pub(crate) fn with_proxies(&self) -> impl Connector<Out = Box<dyn Transport>> {
        ().chain(SocksConnector::default())
            .chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(self.clone())
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Box::new(transport)));
        }
        let host = details.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Error::Tls("the host is not a name that a certificate can have"))?;
        let settings = self.settings().map_err(|failure| {
            let (_, message, _) = failure.into_parts();
            io::Error::new(io::ErrorKind::InvalidInput, message)
        })?;
        let connection = ClientConnection::new(settings.config.clone(), name)?;
        let begun = time::Instant::now();
        let transport: Box<dyn Transport> = Box::new(transport);
        let socket = TransportAdapter::new(transport, details.current_time.clone());
        let mut stream = StreamOwned::new(connection, socket);
        stream.sock.set_timeout(remaining(details));
        if let Err(error) = stream.conn.complete_io(&mut stream.sock) {
            return Err(match settings.verifier.take_refused() {
                Some(names) => io::Error::new(error.kind(), format!("{error}; {names}")).into(),
                None => error.into(),
            });
        }
        if let Some(handshake) = &mut *settings.verifier.handshake() {
            handshake.version = stream.conn.protocol_version();
            handshake.took = begun.elapsed();
        }
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(Box::new(TlsTransport { stream, buffers })))
    }
}

/// Returns what is left of the time to connect.
fn remaining(details: &ConnectionDetails<'_>) -> NextTimeout {
    let mut timeout = details.timeout;
    let times = (details.now, (details.current_time)());
    if let (Duration::Exact(all), (Instant::Exact(start), Instant::Exact(now))) =
        (timeout.after, times)
    {
        let elapsed = now.saturating_duration_since(start);
        timeout.after = Duration::Exact(all.saturating_sub(elapsed));
    }
    timeout
}

struct TlsTransport {
    stream: StreamOwned<ClientConnection, TransportAdapter>,
    buffers: LazyBuffers,
}

/// Shows the connection, but none of its text.
impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsTransport")
            .field(&self.stream.sock.inner())
            .finish()
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        let output = &self.buffers.output()[..amount];
        Ok(io::Write::write_all(&mut self.stream, output)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        let input = self.buffers.input_append_buf();
        let count = io::Read::read(&mut self.stream, input)?;
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

/// What `check` shows of a handshake.
#[derive(Debug)]
pub(crate) struct Handshake {
    /// `None` if it failed.
    pub(crate) version: Option<ProtocolVersion>,
    /// The server's certificate, then those that it sent with it.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) took: time::Duration,
}

/// Decides as rustls does, and keeps the names of a certificate that is refused.
#[derive(Debug)]
struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    /// The names of the last refused certificate, in words.
    refused: Mutex<Option<String>>,
    /// The last handshake that showed a certificate.
    handshake: Mutex<Option<Handshake>>,
}

impl Verifier {
    fn take_refused(&self) -> Option<String> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.take()
    }

    fn handshake(&self) -> MutexGuard<'_, Option<Handshake>> {
        let handshake = self.handshake.lock();
        handshake.unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = [end_entity].into_iter().chain(intermediates);
        *self.handshake() = Some(Handshake {
            version: None,
            chain: chain
                .map(|certificate| certificate.clone().into_owned())
                .collect(),
            took: time::Duration::ZERO,
        });
        let (inner, name) = (&self.inner, server_name);
        let verified =
            inner.verify_server_cert(end_entity, intermediates, name, ocsp_response, now);
        let names = match &verified {
            // This error lists the names itself.
            Err(error) if names_in(error).is_none() => names_of(end_entity),
            _ => None,
        };
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = names;
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Returns in words what a certificate is for, if it can be read.
fn names_of(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = ParsedCertificate::try_from(certificate).ok()?;
    let other_name = ServerName::try_from(OTHER_NAME).ok()?;
    let error = rustls::client::verify_server_name(&certificate, &other_name).err()?;
    let names: Vec<_> = names_in(&error)?.collect();
    if names.is_empty() {
        return Some("the certificate is for no name, since it has no subjectAltName".to_owned());
    }
    let shown = names.iter().take(MAX_NAMES).copied().collect::<Vec<_>>();
    let more = match names.len().saturating_sub(MAX_NAMES) {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    Some(format!("the certificate is for {}{more}", shown.join(", ")))
}

/// Returns the host names and addresses that an error about a wrong name lists.
fn names_in(error: &rustls::Error) -> Option<impl Iterator<Item = &str>> {
    let rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
        presented,
        ..
    }) = error
    else {
        return None;
    };
    // rustls lists them as `DnsName("as.example.com")` and `IpAddress(192.0.2.1)`, among others.
    Some(presented.iter().filter_map(|name| {
        let inner = |start, end| name.strip_prefix(start)?.strip_suffix(end);
        inner("DnsName(\"", "\")").or_else(|| inner("IpAddress(", ")"))
    }))
}
