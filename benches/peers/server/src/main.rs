//! One token endpoint on loopback, over plain http and over TLS, with a fixed reply.
//!
//! ```sh
//! server PUBLIC_KEY.der CERTIFICATE.der CERTIFICATE_KEY.der
//! ```
//!
//! Prints both URLs. It verifies the signature of every assertion, which takes some thirty microseconds, so that
//! every client has to do the whole work. Over TLS a GET reads its metadata.

use std::error::Error;
use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::{env, fs, thread};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

type Key = UnparsedPublicKey<Vec<u8>>;

fn main() -> Result<(), Box<dyn Error>> {
    let [_, public_key, certificate, certificate_key] = env::args()
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "usage: server PUBLIC_KEY.der CERTIFICATE.der CERTIFICATE_KEY.der")?;
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, fs::read(public_key)?);
    let key = Arc::new(key);
    let certificate = CertificateDer::from(fs::read(certificate)?);
    let certificate_key = PrivateKeyDer::try_from(fs::read(certificate_key)?)?;
    let tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], certificate_key)?;
    let tls = Arc::new(tls);

    let plain = TcpListener::bind("127.0.0.1:0")?;
    let secure = TcpListener::bind("127.0.0.1:0")?;
    println!("http://127.0.0.1:{}/token", plain.local_addr()?.port());
    println!("https://localhost:{}/token", secure.local_addr()?.port());
    let plain_key = key.clone();
    thread::spawn(move || accept(&plain, &plain_key, "", Ok));
    let base = format!("https://localhost:{}", secure.local_addr()?.port());
    accept(&secure, &key, &base, move |stream| {
        let connection = ServerConnection::new(tls.clone())?;
        Ok(StreamOwned::new(connection, stream))
    });
    Ok(())
}

fn accept<S: Read + Write + Send + 'static>(
    listener: &TcpListener,
    key: &Arc<Key>,
    base: &str,
    wrap: impl Fn(TcpStream) -> Result<S, Box<dyn Error>>,
) {
    for stream in listener.incoming().flatten() {
        let _ = stream.set_nodelay(true);
        let (key, base) = (key.clone(), base.to_owned());
        match wrap(stream) {
            // A client that closes the connection ends only the thread of this connection.
            Ok(stream) => drop(thread::spawn(move || serve(stream, &key, &base).is_ok())),
            Err(error) => eprintln!("{error}"),
        }
    }
}

fn serve(stream: impl Read + Write, key: &Key, base: &str) -> Result<(), Box<dyn Error>> {
    let metadata = format!(
        r#"{{"issuer":"{base}/tenant","authorization_endpoint":"{base}/authorize","token_endpoint":"{base}/token"}}"#
    );
    let mut stream = BufReader::new(stream);
    while let Some((method, body)) = request(&mut stream)? {
        let (status, response) = match verify(&body, key) {
            _ if method == "GET" => ("200 OK", &*metadata),
            Some(()) => (
                "200 OK",
                r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"Bearer","expires_in":300}"#,
            ),
            None => ("401 Unauthorized", r#"{"error":"invalid_client"}"#),
        };
        let length = response.len();
        let response = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{response}"
        );
        stream.get_mut().write_all(response.as_bytes())?;
        stream.get_mut().flush()?;
    }
    Ok(())
}

/// Reads method and body of the next request, or `None` if the client has closed the connection.
fn request(stream: &mut impl std::io::BufRead) -> Result<Option<(String, String)>, Box<dyn Error>> {
    let mut length = 0;
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let method = line.split(' ').next().unwrap_or_default().to_owned();
    while !line.trim_end().is_empty() {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("Content-Length")
        {
            length = value.trim().parse()?;
        }
        line.clear();
        stream.read_line(&mut line)?;
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Some((method, String::from_utf8(body)?)))
}

/// Returns `Some` if the assertion is signed with that key and is of that client.
fn verify(body: &str, key: &Key) -> Option<()> {
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    let mut assertions =
        pairs.filter(|(name, _)| matches!(*name, "assertion" | "client_assertion"));
    let assertion = percent_decode_str(assertions.next()?.1)
        .decode_utf8()
        .ok()?;
    let (message, signature) = assertion.rsplit_once('.')?;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    key.verify(message.as_bytes(), &signature).ok()?;
    let claims = BASE64_URL_SAFE_NO_PAD
        .decode(message.split_once('.')?.1)
        .ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    (claims["iss"] == "client-1").then_some(())
}
