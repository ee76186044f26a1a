//! The ten lines of `main.rs` without ureq. The transport here can do plain http to loopback and nothing else.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use jwt_bearer::{Audience, Endpoint, Error, Profile, Request, Response, RsaKey, TokenSource};

fn main() -> Result<(), Error> {
    let [_, key, url] = std::env::args().collect::<Vec<_>>().try_into().unwrap();
    let key = RsaKey::from_pem(std::fs::read(key).unwrap())?;
    let endpoint = Endpoint::token(url).unwrap();
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    println!(
        "{}",
        TokenSource::with_transport(send, profile, key)?
            .token()?
            .secret()
    );
    Ok(())
}

fn send(request: &Request, timeout: Duration) -> io::Result<Response> {
    let invalid_data = || io::Error::from(io::ErrorKind::InvalidData);
    let (host, path) = request
        .url()
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .ok_or_else(invalid_data)?;
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(timeout))?;
    let mut head = format!("POST /{path} HTTP/1.0\r\nHost: {host}\r\n");
    for (name, value) in request.headers() {
        head += &format!("{name}: {value}\r\n");
    }
    let body = std::str::from_utf8(request.body()).unwrap();
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut response = String::new();
    stream.take(64 * 1024).read_to_string(&mut response)?;
    let (head, body) = response.split_once("\r\n\r\n").ok_or_else(invalid_data)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Ok(Response::new(status.ok_or_else(invalid_data)?, body))
}
