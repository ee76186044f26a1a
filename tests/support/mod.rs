//! An HTTP server on loopback that answers with the bytes a test gives it.

#![allow(dead_code)] // not every test file uses all of it

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub(crate) mod sample;

/// The answer to one request, which is the only one on its connection.
pub(crate) enum Answer {
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// These bytes, then a space every few milliseconds until the client disconnects.
    Drip(Vec<u8>),
    /// Nothing until the client disconnects.
    Silence,
    /// The connection is reset before the request is read.
    Reset,
}

/// Returns a complete response. `headers` are lines with their line ends.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Answer {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n");
    Answer::Bytes(format!("{head}Connection: close\r\n\r\n{body}").into())
}

/// Returns the response of a token endpoint with this token, for five minutes.
pub(crate) fn grants(token: &str) -> Answer {
    let body = format!(r#"{{"access_token":"{token}","expires_in":300}}"#);
    answer("200 OK", "Content-Type: application/json\r\n", &body)
}

/// A server that answers one request per connection, in the order of its script.
pub(crate) struct Server {
    /// `127.0.0.1:port`.
    pub(crate) host: String,
    thread: JoinHandle<Vec<String>>,
}

/// Stops the server. No request begins with this byte.
const STOP: [u8; 1] = *b"!";
/// Ends the connection of a client that never disconnects.
const CLIENT_LIMIT: Duration = Duration::from_secs(5);

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
                    Ok(1) => requests.push(
                        script
                            .next()
                            .expect("more requests than answers")
                            .send(stream),
                    ),
                    _ => {} // a connection without a request
                }
            }
            requests
        });
        Self { host, thread }
    }
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host)
    }
    /// Stops the server and returns every request in order.
    pub(crate) fn requests(self) -> Vec<String> {
        drop(TcpStream::connect(&self.host).and_then(|mut stream| stream.write_all(&STOP)));
        self.thread.join().unwrap()
    }
}

impl Answer {
    fn send(self, mut stream: TcpStream) -> String {
        if matches!(self, Self::Reset) {
            return String::new(); // closing with unread bytes resets the connection
        }
        stream.set_read_timeout(Some(CLIENT_LIMIT)).unwrap();
        // Under wine, a write to a client that has disconnected may never end.
        stream.set_write_timeout(Some(CLIENT_LIMIT)).unwrap();
        let request = read(&stream).unwrap_or_default();
        match self {
            Self::Bytes(bytes) => drop(stream.write_all(&bytes)),
            Self::Drip(mut bytes) => {
                let begin = Instant::now();
                while stream.write_all(&bytes).is_ok() && begin.elapsed() < CLIENT_LIMIT {
                    bytes = b" ".to_vec();
                    thread::sleep(Duration::from_millis(10));
                }
            }
            Self::Silence | Self::Reset => drop(stream.read(&mut [0])),
        }
        drop(stream.shutdown(Shutdown::Write)); // closing before the client has read everything resets the connection
        drop(io::copy(&mut stream, &mut io::sink()));
        request
    }
}

/// Reads the head and the body of a request. Anything but HTTP, such as a TLS hello, is empty.
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
