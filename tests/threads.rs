//! The operating system refuses a new thread: a token or an error that the caller can handle, never a panic.
//!
//! A limit on the threads of a user (`ulimit -u`) does not bind the superuser, under whom containers run tests. A
//! default stack size that no address space can hold (`RUST_MIN_STACK`) has the same effect for every user: the
//! operating system answers `EAGAIN` to each thread of the process.
#![cfg(all(feature = "cli", target_os = "linux"))]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use jwt_bearer::RsaKey;
use jwt_bearer::sandbox::{Client, Key, Server};
use serde_json::Value;

/// 64 TiB, half of the address space of a process.
const STACK_SIZE: &str = "70368744177664";

/// Runs the command line so that each new thread is refused.
fn run_without_threads(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jwt-bearer"));
    for proxy in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"] {
        command.env_remove(proxy).env_remove(proxy.to_lowercase());
    }
    command.env("RUST_MIN_STACK", STACK_SIZE);
    command.args(arguments).output().unwrap()
}

/// Starts a server and writes the key of its client to `directory`.
fn server(directory: &Path) -> (Server, String) {
    let vectors: Value = serde_json::from_str(include_str!("data/vectors.json")).unwrap();
    let pem = vectors["key"]["pkcs1_pem"].as_str().unwrap();
    let file = directory.join("key.pem");
    fs::write(&file, pem).unwrap();
    let server = Server::start().unwrap();
    let key = Key::public(&RsaKey::from_pem(pem).unwrap());
    server.register(Client::new("client-1", key));
    (server, file.to_str().unwrap().to_owned())
}

#[track_caller]
fn assert_one_error_line(output: &Output, status: i32) {
    let errors = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(status), "{errors}");
    assert!(output.stdout.is_empty());
    assert!(errors.starts_with("jwt-bearer: "), "{errors}");
    // The rest says what to do.
    let mut others = errors.lines().skip(1);
    assert!(others.all(|line| line.starts_with("  ")), "{errors}");
}

#[test]
fn token_of_ip_address_needs_no_thread() {
    let directory = tempfile::tempdir().unwrap();
    let (server, key) = server(directory.path());
    for endpoint in [
        ["--discover", server.url()],
        ["--token-endpoint", &server.token_endpoint()],
    ] {
        let client = ["token", "client-credentials", "--client-id", "client-1"];
        let key = ["--key", &key];
        let output = run_without_threads(&[&client[..], &key, &endpoint].concat());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), &*errors), (Some(0), ""));
        assert!(output.stdout.len() > 40);
    }
    assert_eq!(server.jtis().len(), 2);
}

#[test]
fn token_store_without_threads_is_no_obstacle() {
    let directory = tempfile::tempdir().unwrap();
    let (server, key) = server(directory.path());
    let cache = directory.path().join("cache");
    let arguments = ["token", "client-credentials", "--client-id", "client-1"];
    let options = ["--key", &key, "--discover", server.url()];
    let cache = ["--cache-dir", cache.to_str().unwrap()];
    let output = run_without_threads(&[&arguments[..], &options, &cache].concat());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    assert!(output.stdout.len() > 40);
}

#[test]
fn host_name_without_resolver_thread_is_a_network_error() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, key) = server(directory.path());
    let client = ["token", "client-credentials", "--client-id", "client-1"];
    for endpoint in [
        "--discover=https://as.invalid",
        "--token-endpoint=https://as.invalid/token",
    ] {
        let output = run_without_threads(&[&client[..], &["--key", &key, endpoint]].concat());
        assert_one_error_line(&output, 4);
    }
}

#[test]
fn demo_and_sandbox_without_threads_are_errors() {
    for command in [&["demo"][..], &["sandbox", "--listen", "127.0.0.1:0"]] {
        assert_one_error_line(&run_without_threads(command), 3);
    }
}
