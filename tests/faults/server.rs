//! A server that misbehaves in one way until it recovers. After that it answers with tokens.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::SPEED;

/// The stage of a connection at which the server misbehaves.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Stage {
    /// The server has read the request.
    Http,
    /// The first byte of the request has arrived, and the server reads nothing.
    Unread,
    /// The server has sent a good response and read a second request. It serves later connections well.
    KeptAlive,
    /// The server has sent a good response and reads no second request. It serves later connections well.
    Idle,
    /// The first byte of a TLS handshake has arrived, and the server reads nothing.
    Handshake,
    /// The server has read the request over TLS.
    Tls,
    /// The server presents a certificate that no client should trust.
    Untrusted(Certificate),
}

impl Stage {
    fn is_tls(self) -> bool {
        matches!(self, Self::Handshake | Self::Tls | Self::Untrusted(_))
    }
}

/// What the server does after it has written its bytes.
#[derive(Clone, Copy)]
pub(crate) enum Ending {
    /// Closes the connection after the client has closed its side.
    Closes,
    Resets,
    /// Sends nothing until the client closes the connection.
    Silent,
    /// Sends one byte of the text per second.
    Drips(&'static str),
    /// Repeats the text until the client closes the connection.
    Floods(&'static str),
}

/// What the server does with a connection until it recovers.
pub(crate) struct Misbehavior {
    pub(crate) stage: Stage,
    /// The bytes that the server writes. `<length>` is replaced by the length of the body, `<assertion>` by the
    /// assertion of the request and `<elsewhere>` for another host.
    pub(crate) bytes: Vec<u8>,
    pub(crate) ending: Ending,
}

/// A certificate of the server, by what is wrong with it.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Certificate {
    Good,
    SelfSigned,
    OtherName,
    Expired,
    NotYetValid,
    UnknownRoot,
    ForClients,
}

pub(crate) struct Server {
    /// `127.0.0.1:port`.
    pub(crate) host: String,
    /// The port to which redirects point. No client may connect to it.
    elsewhere: TcpListener,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    misbehavior: Misbehavior,
    elsewhere: String,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    has_recovered: bool,
    is_stopped: bool,
    connections: usize,
    /// What the client sent on every connection that has ended.
    received: Vec<String>,
}

/// How long the server waits for a client to close its connection.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

impl Server {
    pub(crate) fn start(misbehavior: Misbehavior) -> Self {
        let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (listener, elsewhere) = (listen(), listen());
        elsewhere.set_nonblocking(true).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            misbehavior,
            elsewhere: elsewhere.local_addr().unwrap().to_string(),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let acceptor = thread::spawn({
            let shared = shared.clone();
            move || accept_connections(&listener, &shared)
        });
        Self {
            host,
            elsewhere,
            shared,
            acceptor: Some(acceptor),
        }
    }
    pub(crate) fn url(&self) -> String {
        let scheme = match self.shared.misbehavior.stage.is_tls() {
            true => "https",
            false => "http",
        };
        format!("{scheme}://{}/token", self.host)
    }
    /// Makes the server answer every later connection with a token.
    pub(crate) fn recover(&self) {
        self.shared.state().has_recovered = true;
        self.shared.changed.notify_all();
    }
    /// Returns how many connections the server accepted.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state().connections
    }
    /// Returns whether a client connected to the port to which redirects point.
    pub(crate) fn was_redirect_followed(&self) -> bool {
        self.elsewhere.accept().is_ok()
    }
    /// Stops the server. Returns every assertion that it received, truncated ones included.
    pub(crate) fn assertions(mut self) -> Vec<String> {
        self.stop();
        let received = std::mem::take(&mut self.shared.state().received);
        received
            .iter()
            .flat_map(|bytes| assertions(bytes))
            .collect()
    }

    fn stop(&mut self) {
        {
            let mut state = self.shared.state();
            (state.has_recovered, state.is_stopped) = (true, true);
        }
        self.shared.changed.notify_all();
        let Some(acceptor) = self.acceptor.take() else {
            return;
        };
        drop(TcpStream::connect(&self.host)); // wakes the acceptor thread
        let outcome = acceptor.join();
        assert!(outcome.is_ok() || thread::panicking());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn assertions(bytes: &str) -> impl Iterator<Item = String> {
    let parts = bytes.split("client_assertion=").skip(1);
    let is_base64url = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    parts.map(move |part| part.chars().take_while(|c| is_base64url(*c)).collect())
}

fn accept_connections(listener: &TcpListener, shared: &Shared) {
    thread::scope(|connections| {
        for stream in listener.incoming().map(Result::unwrap) {
            let (has_recovered, number) = {
                let mut state = shared.state();
                if state.is_stopped {
                    break;
                }
                state.connections += 1;
                (state.has_recovered, state.connections)
            };
            connections.spawn(move || {
                stream.set_read_timeout(Some(CLIENT_TIMEOUT)).unwrap();
                let mut connection = Connection {
                    stream,
                    tls: None,
                    shared,
                    received: Vec::new(),
                };
                // An error means that the client closed the connection, which it may.
                let _ = match has_recovered {
                    true => connection.behave(),
                    false => connection.misbehave(number),
                };
                let received = String::from_utf8_lossy(&connection.received).into_owned();
                shared.state().received.push(received);
            });
        }
    });
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
    fn recovers_within(&self, time: Duration) -> bool {
        let is_faulty = |state: &mut State| !state.has_recovered;
        let waited = self
            .changed
            .wait_timeout_while(self.state(), time, is_faulty);
        waited.unwrap().0.has_recovered
    }
}

const TOKEN_RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: <length>\r\n\r\n\
    {\"access_token\":\"the-token-of-a-good-answer\",\"expires_in\":300}";

struct Connection<'a> {
    stream: TcpStream,
    tls: Option<Tls>,
    shared: &'a Shared,
    /// What the client sent.
    received: Vec<u8>,
}

impl Connection<'_> {
    fn misbehave(&mut self, number: usize) -> io::Result<()> {
        let Misbehavior {
            stage,
            bytes,
            ending,
        } = &self.shared.misbehavior;
        match stage {
            Stage::Unread | Stage::Handshake => drop(self.stream.peek(&mut [0])?),
            Stage::Http => self.read_request()?,
            Stage::KeptAlive | Stage::Idle if number > 1 => return self.behave(),
            Stage::KeptAlive | Stage::Idle => {
                self.read_request()?;
                self.read(1)?;
                self.write(TOKEN_RESPONSE)?;
                if *stage == Stage::KeptAlive {
                    self.read_request()?;
                }
            }
            Stage::Tls => {
                self.tls = Some(PKI.accept(Certificate::Good, &self.stream)?);
                self.read_request()?;
            }
            Stage::Untrusted(certificate) => {
                self.tls = Some(PKI.accept(*certificate, &self.stream)?);
                return self.send_token();
            }
        }
        self.write(bytes)?;
        match ending {
            Ending::Closes => self.close(),
            Ending::Resets => Ok(()), // closing resets the connection while unread bytes are left
            Ending::Silent => {
                self.shared.recovers_within(CLIENT_TIMEOUT);
                self.drain()
            }
            Ending::Drips(text) => {
                let mut bytes = text.bytes();
                let mut next = || {
                    bytes
                        .next()
                        .filter(|_| !self.shared.recovers_within(SECOND / SPEED))
                };
                while let Some(byte) = next() {
                    self.bytes().write_all(&[byte])?;
                    self.bytes().flush()?;
                }
                self.drain()
            }
            Ending::Floods(text) => {
                let many = text.repeat(4096 / text.len() + 1);
                while !self.shared.state().has_recovered {
                    self.bytes().write_all(many.as_bytes())?;
                }
                Ok(())
            }
        }
    }
    fn behave(&mut self) -> io::Result<()> {
        if self.shared.misbehavior.stage.is_tls() {
            self.tls = Some(PKI.accept(Certificate::Good, &self.stream)?);
        }
        self.send_token()
    }
    fn send_token(&mut self) -> io::Result<()> {
        self.read_request()?;
        self.write(TOKEN_RESPONSE)?;
        self.close()
    }

    /// Reads a request except its last byte, so that closing resets the connection.
    fn read_request(&mut self) -> io::Result<()> {
        let begin = self.received.len();
        while !self.received[begin..].ends_with(b"\r\n\r\n") {
            self.read(1)?;
        }
        let head = String::from_utf8_lossy(&self.received[begin..]).to_ascii_lowercase();
        let length = head.split_once("content-length: ").unwrap().1;
        let length: usize = length.lines().next().unwrap().parse().unwrap();
        self.read(length - 1)
    }
    fn read(&mut self, count: usize) -> io::Result<()> {
        let mut bytes = vec![0; count];
        self.bytes().read_exact(&mut bytes)?;
        self.received.extend(bytes);
        Ok(())
    }
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let assertion = assertions(&String::from_utf8_lossy(&self.received)).last();
        let bytes = replaced(bytes, "<elsewhere>", &self.shared.elsewhere);
        let bytes = replaced(&bytes, "<assertion>", &assertion.unwrap_or_default());
        let body = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let length = body.map_or(0, |at| bytes.len() - at - 4).to_string();
        let bytes = replaced(&bytes, "<length>", &length);
        self.bytes().write_all(&bytes)?;
        self.bytes().flush()
    }
    /// Closes the sending side of TCP, without the close_notify of TLS.
    fn close(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)?;
        self.drain()
    }
    fn drain(&mut self) -> io::Result<()> {
        let mut rest = Vec::new();
        let read = self.bytes().read_to_end(&mut rest);
        self.received.extend(rest);
        read.map(drop)
    }
    fn bytes(&mut self) -> &mut dyn ByteStream {
        match &mut self.tls {
            Some(tls) => &mut **tls,
            None => &mut self.stream,
        }
    }
}

fn replaced(bytes: &[u8], name: &str, value: &str) -> Vec<u8> {
    let at = |bytes: &[u8]| {
        bytes
            .windows(name.len())
            .position(|window| window == name.as_bytes())
    };
    match at(bytes) {
        Some(begin) => [
            &bytes[..begin],
            value.as_bytes(),
            &replaced(&bytes[begin + name.len()..], name, value),
        ]
        .concat(),
        None => bytes.to_vec(),
    }
}

type Tls = Box<StreamOwned<ServerConnection, TcpStream>>;

trait ByteStream: Read + Write {}
impl<T: Read + Write> ByteStream for T {}

/// A root certificate that the client trusts and one that it does not, to issue server certificates.
pub(crate) struct Pki {
    root: CertifiedIssuer<'static, KeyPair>,
    other: CertifiedIssuer<'static, KeyPair>,
}

pub(crate) static PKI: LazyLock<Pki> = LazyLock::new(|| {
    let root = |name| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    Pki {
        root: root("the root"),
        other: root("another root"),
    }
});

impl Pki {
    /// Returns the root certificate that the client trusts.
    pub(crate) fn root(&self) -> &[u8] {
        self.root.der()
    }
    fn accept(&self, certificate: Certificate, stream: &TcpStream) -> io::Result<Tls> {
        let connection = ServerConnection::new(self.config(certificate)).unwrap();
        Ok(Box::new(StreamOwned::new(connection, stream.try_clone()?)))
    }
    fn config(&self, certificate: Certificate) -> Arc<ServerConfig> {
        let name = match certificate {
            Certificate::OtherName => "as.example.com",
            _ => "127.0.0.1",
        };
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        match certificate {
            Certificate::Expired => params.not_after = date_time_ymd(2020, 1, 1),
            Certificate::NotYetValid => params.not_before = date_time_ymd(4000, 1, 1),
            Certificate::ForClients => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }
            _ => {}
        }
        let key = KeyPair::generate().unwrap();
        let signed = match certificate {
            Certificate::SelfSigned => params.self_signed(&key),
            Certificate::UnknownRoot => params.signed_by(&key, &self.other),
            _ => params.signed_by(&key, &self.root),
        };
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = rustls::crypto::ring::default_provider().into();
        let config = ServerConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth();
        let config = config.with_single_cert(vec![signed.unwrap().der().clone()], key);
        config.unwrap().into()
    }
}
