//! An HTTP server on loopback that says what a test tells it to, byte for byte.

#![allow(dead_code)] // each test file uses its part

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub(crate) mod sample;

/// What one connection gets for its one request.
pub(crate) enum Answer {
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// These bytes, then a space every few milliseconds for as long as the client stays.
    Drip(Vec<u8>),
    /// Nothing, for as long as the client stays.
    Silence,
    /// The connection is reset while the request still lies unread.
    Reset,
}

/// A whole response. `headers` are lines, each with its line end.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Answer {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n");
    Answer::Bytes(format!("{head}Connection: close\r\n\r\n{body}").into())
}

/// The response of a token endpoint: this token, for five minutes.
pub(crate) fn grants(token: &str) -> Answer {
    let body = format!(r#"{{"access_token":"{token}","expires_in":300}}"#);
    answer("200 OK", "Content-Type: application/json\r\n", &body)
}

/// Answers one request a connection, in the order of its script.
pub(crate) struct Server {
    /// `127.0.0.1:port`.
    pub(crate) host: String,
    thread: JoinHandle<Vec<String>>,
}

const STOP: [u8; 1] = *b"!"; // no request begins like this
const PATIENCE: Duration = Duration::from_secs(5); // with a client that never leaves

impl Server {
    pub(crate) fn new<const N: usize>(script: [Answer; N]) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), script)
    }
    pub(crate) fn on<const N: usize>(listener: TcpListener, script: [Answer; N]) -> Self {
        let host = listener.local_addr().unwrap().to_string();
        let thread = thread::spawn(move || {
            let (mut script, mut requests) = (script.into_iter(), Vec::new());
            for stream in listener.incoming().map(Result::unwrap) {
                let mut first = [0];
                match stream.peek(&mut first) {
                    Ok(1) if first == STOP => break,
                    Ok(1) => requests.push(script.next().expect("one too many").give(stream)),
                    _ => {} // came and went
                }
            }
            requests
        });
        Self { host, thread }
    }
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host)
    }
    /// Stops. The bytes of every request that came, in order.
    pub(crate) fn requests(self) -> Vec<String> {
        drop(TcpStream::connect(&self.host).and_then(|mut stream| stream.write_all(&STOP)));
        self.thread.join().unwrap()
    }
}

impl Answer {
    fn give(self, mut stream: TcpStream) -> String {
        if matches!(self, Self::Reset) {
            return String::new(); // closing on unread bytes resets
        }
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = read(&stream).unwrap_or_default();
        match self {
            Self::Bytes(bytes) => drop(stream.write_all(&bytes)),
            Self::Drip(mut bytes) => {
                let begin = Instant::now();
                while stream.write_all(&bytes).is_ok() && begin.elapsed() < PATIENCE {
                    bytes = b" ".to_vec();
                    thread::sleep(Duration::from_millis(10));
                }
            }
            Self::Silence | Self::Reset => drop(stream.read(&mut [0])),
        }
        drop(stream.shutdown(Shutdown::Write)); // closing before all is read would reset
        drop(io::copy(&mut stream, &mut io::sink()));
        request
    }
}

/// Head and body of a request; nothing of what is no HTTP, such as a TLS hello.
fn read(stream: &TcpStream) -> io::Result<String> {
    let mut stream = BufReader::new(stream);
    let mut text = String::new();
    let mut length = 0;
    let is_text = stream.fill_buf()?.first().is_some_and(u8::is_ascii_graphic);
    while is_text && !text.ends_with("\r\n\r\n") && stream.read_line(&mut text)? > 0 {
        let line = text
            .lines()
            .next_back()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let value = line.strip_prefix("content-length: ");
        length = value.map_or(length, |value| value.parse().unwrap());
    }
    stream.take(length).read_to_string(&mut text)?;
    Ok(text)
}
