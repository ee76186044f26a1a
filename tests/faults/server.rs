//! A server that misbehaves as it is told to, until it is mended; then it grants.

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

/// How a connection goes, up to where it goes wrong.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Door {
    /// The request is read.
    Http,
    /// Its first byte is there, and nothing is read.
    Deaf,
    /// After a good answer, a second request is read. Later connections are good.
    Kept,
    /// After a good answer, no second request is waited for. Later connections are good.
    Idle,
    /// Of a TLS handshake the first byte is there, and nothing is read.
    Https,
    /// The request is read, within TLS.
    Tls,
    /// A handshake with a certificate that is not to be believed.
    Shows(Certificate),
}

impl Door {
    fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Tls | Self::Shows(_))
    }
}

/// What comes after what is said.
#[derive(Clone, Copy)]
pub(crate) enum Then {
    /// The end, once the client has nothing more to say.
    Ends,
    Resets,
    /// Nothing, until the client has left.
    Holds,
    /// A byte each second.
    Drips(&'static str),
    /// This over and over, for as long as the client stays.
    Floods(&'static str),
}

/// What a server does to a connection until it is mended.
pub(crate) struct Manner {
    pub(crate) door: Door,
    /// With `<length>` of what follows the head, `<assertion>`, and `<elsewhere>`, a host.
    pub(crate) says: Vec<u8>,
    pub(crate) then: Then,
}

/// What is wrong with a certificate.
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
    /// A second port, where nothing may arrive.
    elsewhere: TcpListener,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    manner: Manner,
    elsewhere: String,
    world: Mutex<World>,
    changed: Condvar,
}

#[derive(Default)]
struct World {
    mended: bool,
    ended: bool,
    connections: usize,
    /// The bytes of every connection that has ended.
    seen: Vec<String>,
}

/// How long a server waits for a client that should have left.
const PATIENCE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

impl Server {
    pub(crate) fn start(manner: Manner) -> Self {
        let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (listener, elsewhere) = (listen(), listen());
        elsewhere.set_nonblocking(true).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            manner,
            elsewhere: elsewhere.local_addr().unwrap().to_string(),
            world: Mutex::default(),
            changed: Condvar::new(),
        });
        let accepting = thread::spawn({
            let shared = shared.clone();
            move || accept(&listener, &shared)
        });
        Self {
            host,
            elsewhere,
            shared,
            accepting: Some(accepting),
        }
    }
    pub(crate) fn url(&self) -> String {
        let scheme = match self.shared.manner.door.is_tls() {
            true => "https",
            false => "http",
        };
        format!("{scheme}://{}/token", self.host)
    }
    /// From now on every connection is served well.
    pub(crate) fn mend(&self) {
        self.shared.world().mended = true;
        self.shared.changed.notify_all();
    }
    /// How many connections came.
    pub(crate) fn connections(&self) -> usize {
        self.shared.world().connections
    }
    /// Whether somebody knocked where a redirect pointed to.
    pub(crate) fn was_left(&self) -> bool {
        self.elsewhere.accept().is_ok()
    }
    /// Ends. Every assertion that came, as far as it came.
    pub(crate) fn assertions(mut self) -> Vec<String> {
        self.end();
        let seen = std::mem::take(&mut self.shared.world().seen);
        seen.iter().flat_map(|bytes| assertions(bytes)).collect()
    }

    fn end(&mut self) {
        {
            let mut world = self.shared.world();
            (world.mended, world.ended) = (true, true);
        }
        self.shared.changed.notify_all();
        let Some(accepting) = self.accepting.take() else {
            return;
        };
        drop(TcpStream::connect(&self.host)); // wakes the thread that accepts
        let outcome = accepting.join();
        assert!(outcome.is_ok() || thread::panicking());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn assertions(bytes: &str) -> impl Iterator<Item = String> {
    let parts = bytes.split("client_assertion=").skip(1);
    let is_base64url = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    parts.map(move |part| part.chars().take_while(|c| is_base64url(*c)).collect())
}

fn accept(listener: &TcpListener, shared: &Shared) {
    thread::scope(|connections| {
        for stream in listener.incoming().map(Result::unwrap) {
            let (mended, number) = {
                let mut world = shared.world();
                if world.ended {
                    break;
                }
                world.connections += 1;
                (world.mended, world.connections)
            };
            connections.spawn(move || {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut conn = Conn {
                    stream,
                    tls: None,
                    shared,
                    seen: Vec::new(),
                };
                let _ = match mended {
                    true => conn.does_well(),
                    false => conn.misbehaves(number), // a client that goes away is right to
                };
                let seen = String::from_utf8_lossy(&conn.seen).into_owned();
                shared.world().seen.push(seen);
            });
        }
    });
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }
    fn is_mended_within(&self, time: Duration) -> bool {
        let is_broken = |world: &mut World| !world.mended;
        let waited = self
            .changed
            .wait_timeout_while(self.world(), time, is_broken);
        waited.unwrap().0.mended
    }
}

const GRANT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: <length>\r\n\r\n\
    {\"access_token\":\"the-token-of-a-good-answer\",\"expires_in\":300}";

struct Conn<'a> {
    stream: TcpStream,
    tls: Option<Tls>,
    shared: &'a Shared,
    /// What the client said.
    seen: Vec<u8>,
}

impl Conn<'_> {
    fn misbehaves(&mut self, number: usize) -> io::Result<()> {
        let Manner { door, says, then } = &self.shared.manner;
        match door {
            Door::Deaf | Door::Https => drop(self.stream.peek(&mut [0])?),
            Door::Http => self.reads_request()?,
            Door::Kept | Door::Idle if number > 1 => return self.does_well(),
            Door::Kept | Door::Idle => {
                self.reads_request()?;
                self.reads(1)?;
                self.says(GRANT)?;
                if *door == Door::Kept {
                    self.reads_request()?;
                }
            }
            Door::Tls => {
                self.tls = Some(PKI.talk(Certificate::Good, &self.stream)?);
                self.reads_request()?;
            }
            Door::Shows(certificate) => {
                self.tls = Some(PKI.talk(*certificate, &self.stream)?);
                return self.grants();
            }
        }
        self.says(says)?;
        match then {
            Then::Ends => self.ends(),
            Then::Resets => Ok(()), // as closing does where something was not read
            Then::Holds => {
                self.shared.is_mended_within(PATIENCE);
                self.drains()
            }
            Then::Drips(text) => {
                let mut bytes = text.bytes();
                let mut next = || {
                    bytes
                        .next()
                        .filter(|_| !self.shared.is_mended_within(SECOND / SPEED))
                };
                while let Some(byte) = next() {
                    self.link().write_all(&[byte])?;
                    self.link().flush()?;
                }
                self.drains()
            }
            Then::Floods(text) => {
                let many = text.repeat(4096 / text.len() + 1);
                while !self.shared.world().mended {
                    self.link().write_all(many.as_bytes())?;
                }
                Ok(())
            }
        }
    }
    fn does_well(&mut self) -> io::Result<()> {
        if self.shared.manner.door.is_tls() {
            self.tls = Some(PKI.talk(Certificate::Good, &self.stream)?);
        }
        self.grants()
    }
    fn grants(&mut self) -> io::Result<()> {
        self.reads_request()?;
        self.says(GRANT)?;
        self.ends()
    }

    /// But for its last byte, so that closing resets the connection.
    fn reads_request(&mut self) -> io::Result<()> {
        let begin = self.seen.len();
        while !self.seen[begin..].ends_with(b"\r\n\r\n") {
            self.reads(1)?;
        }
        let head = String::from_utf8_lossy(&self.seen[begin..]).to_ascii_lowercase();
        let length = head.split_once("content-length: ").unwrap().1;
        let length: usize = length.lines().next().unwrap().parse().unwrap();
        self.reads(length - 1)
    }
    fn reads(&mut self, count: usize) -> io::Result<()> {
        let mut bytes = vec![0; count];
        self.link().read_exact(&mut bytes)?;
        self.seen.extend(bytes);
        Ok(())
    }
    fn says(&mut self, bytes: &[u8]) -> io::Result<()> {
        let assertion = assertions(&String::from_utf8_lossy(&self.seen)).last();
        let bytes = replaced(bytes, "<elsewhere>", &self.shared.elsewhere);
        let bytes = replaced(&bytes, "<assertion>", &assertion.unwrap_or_default());
        let body = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let length = body.map_or(0, |at| bytes.len() - at - 4).to_string();
        let bytes = replaced(&bytes, "<length>", &length);
        self.link().write_all(&bytes)?;
        self.link().flush()
    }
    /// The end of TCP, of which TLS says nothing.
    fn ends(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)?;
        self.drains()
    }
    fn drains(&mut self) -> io::Result<()> {
        let mut rest = Vec::new();
        let read = self.link().read_to_end(&mut rest);
        self.seen.extend(rest);
        read.map(drop)
    }
    fn link(&mut self) -> &mut dyn Link {
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

trait Link: Read + Write {}
impl<T: Read + Write> Link for T {}

/// A root that the client trusts, and certificates below it and beside it.
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
    /// What the client trusts.
    pub(crate) fn root(&self) -> &[u8] {
        self.root.der()
    }
    fn talk(&self, certificate: Certificate, stream: &TcpStream) -> io::Result<Tls> {
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
