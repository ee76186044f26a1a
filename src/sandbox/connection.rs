//! One HTTP request and one response per connection, which is closed after that.

use std::io::{self, Read as _, Write as _};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use percent_encoding::percent_decode_str;

use super::tls::Stream;

/// The longest request in bytes. An assertion of an 8192-bit key with many claims needs a tenth of that.
const MAX_REQUEST: usize = 256 * 1024;
const MAX_HEADERS: usize = 64;
/// How long a client may take to send a request, since each connection has a thread.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// The time limit of one read. After it, a thread that waits for its client checks whether the server is stopped.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(50);

pub(super) struct HttpRequest {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl HttpRequest {
    /// Reads one request. Returns `None` when the client closes the connection, does not send HTTP or takes longer than
    /// [`REQUEST_TIMEOUT`], or when the server is stopped.
    ///
    /// # Errors
    /// When the connection fails.
    pub(super) fn read(
        stream: &mut Stream,
        is_stopped: impl Fn() -> bool,
    ) -> io::Result<Option<Self>> {
        let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
        let mut has_sent_continue = false;
        let start = Instant::now();
        let is_late = || start.elapsed() > REQUEST_TIMEOUT;
        while bytes.len() < MAX_REQUEST && !is_late() && !is_stopped() {
            match stream.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(n) => bytes.extend_from_slice(chunk.get(..n).unwrap_or_default()),
                Err(e) if is_timeout(&e) => {}
                Err(e) => return Err(e),
            }
            match Self::parse(&bytes) {
                Parsed::Complete(request) => return Ok(Some(request)),
                Parsed::Partial {
                    expects_continue: true,
                } if !has_sent_continue => {
                    has_sent_continue = true;
                    stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                }
                Parsed::Partial { .. } => {}
                Parsed::Malformed => return Ok(None),
            }
        }
        Ok(None)
    }

    fn parse(bytes: &[u8]) -> Parsed {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Request::new(&mut headers);
        let length = match head.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => {
                return Parsed::Partial {
                    expects_continue: false,
                };
            }
            Err(_) => return Parsed::Malformed,
        };
        let text = |value| String::from_utf8_lossy(value).trim().to_owned();
        let headers = head.headers.iter();
        let headers: Vec<_> = headers
            .map(|h| (h.name.to_owned(), text(h.value)))
            .collect();
        let length_of_body = header(&headers, "Content-Length").parse();
        let body = bytes.get(length..).unwrap_or_default();
        let Some(body) = body.get(..length_of_body.unwrap_or(0)) else {
            return Parsed::Partial {
                expects_continue: !header(&headers, "Expect").is_empty(),
            };
        };
        let target = head.path.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Parsed::Complete(Self {
            method: head.method.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            body: body.to_owned(),
            headers,
        })
    }

    /// Returns the first header of this name, or an empty text.
    pub(super) fn header(&self, name: &str) -> &str {
        header(&self.headers, name)
    }
    pub(super) fn has_content_type(&self, media_type: &str) -> bool {
        let sent = self.header("Content-Type").to_ascii_lowercase();
        sent.starts_with(media_type)
    }
    /// Returns whether the request has a transfer encoding. Its body has no length and is not read.
    pub(super) fn is_chunked(&self) -> bool {
        !self.header("Transfer-Encoding").is_empty()
    }

    /// Returns the parameters of a form body, then those of the query.
    ///
    /// The document of Marketing Cloud Intelligence shows parameters in the query.
    pub(super) fn parameters(&self) -> Vec<(String, String)> {
        let body = match self.has_content_type("application/x-www-form-urlencoded") {
            true => String::from_utf8_lossy(&self.body).into_owned(),
            false => String::new(),
        };
        let decoded = |text: &str| {
            percent_decode_str(&text.replace('+', " "))
                .decode_utf8_lossy()
                .into_owned()
        };
        let pairs = body
            .split('&')
            .chain(self.query.split('&'))
            .filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect()
    }
}

/// Waits until the client closes the connection or the server is stopped.
pub(super) fn wait_for_close(stream: &mut Stream, is_stopped: impl Fn() -> bool) {
    while !is_stopped() {
        match stream.read(&mut [0; 4096]) {
            Ok(0) => return,
            Err(e) if !is_timeout(&e) => return,
            _ => {}
        }
    }
}

/// Waits for this long, or until the server is stopped.
pub(super) fn pause(time: Duration, is_stopped: impl Fn() -> bool) {
    let begun = Instant::now();
    while begun.elapsed() < time && !is_stopped() {
        thread::sleep(POLL_INTERVAL.min(time));
    }
}

fn is_timeout(error: &io::Error) -> bool {
    let kind = error.kind();
    matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn header<'h>(headers: &'h [(String, String)], name: &str) -> &'h str {
    let mut headers = headers.iter();
    let found = headers.find(|(other, _)| other.eq_ignore_ascii_case(name));
    found.map_or("", |(_, value)| value)
}

enum Parsed {
    Complete(HttpRequest),
    Partial { expects_continue: bool },
    Malformed,
}

pub(super) struct HttpResponse {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl HttpResponse {
    pub(super) fn json(status: u16, body: impl ToString) -> Self {
        Self::new(status, "application/json", body)
    }
    pub(super) fn new(status: u16, content_type: &str, body: impl ToString) -> Self {
        let headers = vec![
            ("Content-Type", content_type.to_owned()),
            ("Cache-Control", "no-store".to_owned()),
        ];
        Self {
            status,
            headers,
            body: body.to_string(),
        }
    }

    /// Writes the response. With `cut_body`, only the first half of the body is sent.
    ///
    /// # Errors
    /// When the connection fails.
    pub(super) fn write(&self, stream: &mut Stream, cut_body: bool) -> io::Result<()> {
        let date = httpdate::fmt_http_date(SystemTime::now());
        let mut text = format!(
            "HTTP/1.1 {} {}\r\nDate: {date}\r\n",
            self.status,
            reason_phrase(self.status)
        );
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!(
            "Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.body.len()
        ));
        let body = self.body.as_bytes();
        let sent = if cut_body { body.len() / 2 } else { body.len() };
        stream.write_all(text.as_bytes())?;
        stream.write_all(body.get(..sent).unwrap_or_default())?;
        stream.finish()
    }
}

fn reason_phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
