//! What more of something costs: `series count nanoseconds bytes` a line.
//!
//! Time is the median of runs without the allocation counter's own cost in them; bytes are the most
//! that was held at once.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use inside::{Free, exchange, fresh_source, now, profile, together};
use jwt_bearer::{Request, Response, Signer, TokenSource, Transport};

/// The limit of a response.
const MOST: usize = 64 * 1024;

fn main() {
    for count in [1, 10, 100, 1_000, 10_000, 100_000] {
        let (transport, key): (Arc<dyn Transport>, Arc<dyn Signer>) =
            (Arc::new(nobody), Arc::new(Free));
        row("sources", count, || {
            let source = |_| TokenSource::with_transport(transport.clone(), profile(), key.clone()).unwrap();
            (0..count).map(source).collect::<Vec<_>>()
        });
    }
    for threads in [1, 2, 4, 8, 16, 32, 64] {
        let source = fresh_source();
        row("threads", threads, || {
            together(threads, 20_000, || drop(black_box(source.token())))
        });
    }
    for length in [100, 400, 1_600, 6_400, 25_600, MOST] {
        let profile = profile();
        let token = "t".repeat(length - r#"{"access_token":""}"#.len());
        let body = format!(r#"{{"access_token":"{token}"}}"#);
        row("body", length, || {
            exchange(&profile)
                .read(Response::new(200, body.clone()))
                .unwrap()
        });
    }
    // The other shape of the same length: as many members as fit.
    for length in [100, 400, 1_600, 6_400, 25_600, MOST] {
        let profile = profile();
        let mut body = String::from(r#"{"access_token":"t""#);
        while body.len() + 16 < length {
            body += &format!(r#","m{:05}":"{:03}""#, body.len(), body.len() % 1000);
        }
        body.push('}');
        row("members", length, || {
            exchange(&profile)
                .read(Response::new(200, body.clone()))
                .unwrap()
        });
    }
    for count in [5, 15, 50, 150, 500] {
        // Five are those of every assertion here: iss, sub, aud, exp, jti; and iat.
        let profile = (5..count).fold(profile().with_iat_leeway(None::<Duration>), |profile, n| {
            profile.with_claim(format!("claim-{:03}", n * 7 % 500), n)
        });
        row("claims", count, || profile.assertion(&Free, now()).unwrap());
    }
}

fn nobody(_: &Request, _: Duration) -> std::io::Result<Response> {
    Err(std::io::ErrorKind::ConnectionRefused.into())
}

/// The result of `run` is dropped after the clock has stopped.
fn row<R>(series: &str, count: usize, run: impl Fn() -> R) {
    let most = Instant::now();
    let mut times = Vec::new();
    while times.len() < 5 || (times.len() < 1_000 && most.elapsed() < Duration::from_millis(500)) {
        let begun = Instant::now();
        let result = black_box(run());
        times.push(begun.elapsed());
        drop(result);
    }
    times.sort();
    let median = times[times.len() / 2].as_nanos();
    let held = allocation_counter::measure(|| drop(black_box(run()))).bytes_max;
    println!("{series}\t{count}\t{median}\t{held}");
}
