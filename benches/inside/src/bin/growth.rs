//! Measures how time and memory grow with the size of the input. Prints lines of `series count nanoseconds bytes`.
//!
//! The time is the median of runs without the allocation counter. The bytes are the peak of one more run with it.
//!
//! ```sh
//! growth JWT_BEARER   the program whose configuration files grow
//! ```

use std::fmt::Write as _;
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs};

use inside::{FreeSigner, exchange, fresh_source, now, profile, time_threads};
use jwt_bearer::{FileStore, Request, Response, Signer, TokenSource, TokenStore as _, Transport};

/// The longest response that the library reads.
const MAX_RESPONSE: usize = 64 * 1024;

fn main() {
    for count in [1, 10, 100, 1_000, 10_000, 100_000] {
        let (transport, key): (Arc<dyn Transport>, Arc<dyn Signer>) =
            (Arc::new(refuse), Arc::new(FreeSigner));
        measure("sources", count, || {
            let source =
                |_| TokenSource::with_transport(transport.clone(), profile(), key.clone()).unwrap();
            (0..count).map(source).collect::<Vec<_>>()
        });
    }
    for threads in [1, 2, 4, 8, 16, 32, 64] {
        let source = fresh_source();
        measure("threads", threads, || {
            time_threads(threads, 20_000, || drop(black_box(source.token())))
        });
    }
    for threads in [1, 10, 100, 1_000, 10_000] {
        let source = fresh_source();
        measure("many-threads", threads, || {
            time_threads(threads, 100, || drop(black_box(source.token())))
        });
    }
    let directory = env::temp_dir().join(format!("jwt-bearer-growth-{}", std::process::id()));
    let store = FileStore::new(&directory).unwrap();
    let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
    let mut saved = 0;
    for count in [1, 10, 100, 1_000, 10_000] {
        for n in saved..count {
            store
                .save(&format!("{n:064x}"), &[7; 500], hour, second)
                .unwrap();
        }
        saved = count;
        measure("store", count, || {
            store
                .load(&format!("{:064x}", count / 2), second)
                .unwrap()
                .unwrap()
        });
    }
    let program = env::args().nth(1).expect("the program is named");
    let file = directory.join("connections.toml");
    for count in [1, 10, 100, 1_000, 10_000] {
        let mut text = String::new();
        for n in 0..count {
            writeln!(
                text,
                "[connection-{n}]\nprovider = \"salesforce\"\nclient-id = \"client-{n}\""
            )
            .unwrap();
        }
        fs::write(&file, text).unwrap();
        let name = format!("connection-{}", count / 2);
        measure("connections", count, || {
            let mut command = Command::new(&program);
            let shown = command
                .arg("--config")
                .arg(&file)
                .args(["config", &name])
                .output()
                .unwrap();
            assert!(shown.status.success(), "{shown:?}");
        });
    }
    fs::remove_dir_all(&directory).unwrap();
    for length in [100, 400, 1_600, 6_400, 25_600, MAX_RESPONSE] {
        let profile = profile();
        let token = "t".repeat(length - r#"{"access_token":""}"#.len());
        let body = format!(r#"{{"access_token":"{token}"}}"#);
        measure("body", length, || {
            exchange(&profile)
                .read(Response::new(200, body.clone()))
                .unwrap()
        });
    }
    // A response of the same length with as many members as fit.
    for length in [100, 400, 1_600, 6_400, 25_600, MAX_RESPONSE] {
        let profile = profile();
        let mut body = String::from(r#"{"access_token":"t""#);
        while body.len() + 16 < length {
            body += &format!(r#","m{:05}":"{:03}""#, body.len(), body.len() % 1000);
        }
        body.push('}');
        measure("members", length, || {
            exchange(&profile)
                .read(Response::new(200, body.clone()))
                .unwrap()
        });
    }
    for count in [5, 15, 50, 150, 500] {
        // Every assertion here has five of them: iss, sub, aud, exp and jti.
        let profile = (5..count).fold(profile().with_iat_leeway(None::<Duration>), |profile, n| {
            profile.with_claim(format!("claim-{:03}", n * 7 % 500), n)
        });
        measure("claims", count, || {
            profile.assertion(&FreeSigner, now()).unwrap()
        });
    }
}

fn refuse(_: &Request, _: Duration) -> std::io::Result<Response> {
    Err(std::io::ErrorKind::ConnectionRefused.into())
}

/// Measures `run` and prints a line. Dropping its result is not measured.
fn measure<R>(series: &str, count: usize, run: impl Fn() -> R) {
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < 5 || (times.len() < 1_000 && start.elapsed() < Duration::from_millis(500)) {
        let began = Instant::now();
        let result = black_box(run());
        times.push(began.elapsed());
        drop(result);
    }
    times.sort();
    let median = times[times.len() / 2].as_nanos();
    let bytes = allocation_counter::measure(|| drop(black_box(run()))).bytes_max;
    println!("{series}\t{count}\t{median}\t{bytes}");
}
