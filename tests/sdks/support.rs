//! A sandbox with TLS, the clients that run against it, and the results for the page that the script writes.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use jwt_bearer::sandbox::{Client, Server};
use jwt_bearer::{Exchange, Profile, Signer, TokenSource};
use serde_json::Value;
use ureq::Agent;
use ureq::tls::{Certificate, TlsConfig};

use crate::compare::Sent;

/// Returns a variable that the run sets.
#[track_caller]
fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: start tests/sdks/run"))
}

/// Returns the path of a file in the scratch directory of the run.
#[track_caller]
fn path(name: &str) -> PathBuf {
    PathBuf::from(env("SDKS_SCRATCH")).join(name)
}

/// A vendor's client: the name of its package, and that of its function in `clients.py` or `clients.mjs`.
#[derive(Clone, Copy)]
pub(crate) enum Vendor {
    Python(&'static str, &'static str),
    Node(&'static str, &'static str),
}

/// What a client printed.
pub(crate) struct Output {
    value: Value,
}

impl Output {
    #[track_caller]
    pub(crate) fn text(&self, name: &str) -> &str {
        let text = self.value[name].as_str();
        text.unwrap_or_else(|| panic!("no {name}: {}", self.value))
    }
}

/// One server of the sandbox, with one client registered.
pub(crate) struct Sandbox {
    name: &'static str,
    server: Server,
    root: PathBuf,
    /// When the latest request was answered, and the line of the log about it.
    latest: Arc<Mutex<(f64, String)>>,
}

fn now() -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_secs_f64()
}

impl Sandbox {
    #[track_caller]
    pub(crate) fn start(name: &'static str, client: Client) -> Self {
        let latest = Arc::new(Mutex::new((0.0, String::new())));
        let log = {
            let latest = latest.clone();
            move |line: &str| {
                println!("{line}"); // shown if the test fails
                *latest.lock().unwrap() = (now(), line.to_owned());
            }
        };
        let server = Server::listen_tls(SocketAddr::from(([127, 0, 0, 1], 0)), log).unwrap();
        server.register(client);
        let port = server.url().rsplit(':').next().unwrap().to_owned();
        let root = path(&format!("root-{port}.pem"));
        fs::write(&root, server.root_certificate().unwrap()).unwrap();
        Self {
            name,
            server,
            root,
            latest,
        }
    }

    pub(crate) fn base(&self) -> String {
        let base = self.server.base_url(self.name);
        base.unwrap_or_else(|| self.server.url().to_owned())
    }
    /// Returns the latest line of the sandbox's log.
    pub(crate) fn log(&self) -> String {
        self.latest.lock().unwrap().1.clone()
    }
    pub(crate) fn register(&self, client: Client) {
        self.server.register(client);
    }
    pub(crate) fn agent(&self) -> Agent {
        let root = Certificate::from_pem(self.server.root_certificate().unwrap().as_bytes());
        let tls = TlsConfig::builder().root_certs([root.unwrap()].into());
        let config = Agent::config_builder().proxy(None);
        config.tls_config(tls.build()).build().into()
    }

    /// Runs a client with `inputs`, to which the base URL and the key file are added.
    #[track_caller]
    pub(crate) fn run(&self, vendor: Vendor, mut inputs: Value) -> Output {
        inputs["base"] = self.base().into();
        if inputs["key_file"].is_null() {
            inputs["key_file"] = path("key.pem").to_str().unwrap().into();
        }
        let (program, script, function) = match vendor {
            Vendor::Python(_, function) => {
                let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdks/clients.py");
                (path("venv/bin/python"), script.into(), function)
            }
            Vendor::Node(_, function) => ("node".into(), path("clients.mjs"), function),
        };
        let mut command = Command::new(program);
        command.arg(script).arg(function).arg(inputs.to_string());
        for name in ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
            command.env(name, &self.root);
        }
        // Neither files of the user nor a proxy change what a client does.
        command.env("HOME", path("home"));
        for name in ["NO_PROXY", "no_proxy"] {
            command.env(name, "127.0.0.1");
        }
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{function}: {errors}");
        let text = String::from_utf8(output.stdout).unwrap();
        let last = text.lines().last().unwrap_or_default();
        let value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{function}: {text}"));
        Output { value }
    }

    /// The protected resource accepts the token, so this sandbox issued it.
    #[track_caller]
    fn assert_is_token(&self, token: &str) {
        let request = self.agent().get(self.server.resource());
        let request = request.header("Authorization", format!("Bearer {token}"));
        assert_eq!(request.call().unwrap().status(), 200);
    }

    #[track_caller]
    fn read(&self, jwt: &str, at: f64) -> Sent {
        let base = self.base();
        let host = base.strip_prefix("https://").unwrap();
        Sent::read(jwt, at, &[(&base, "{base}"), (host, "{host}")])
    }
    #[track_caller]
    fn last(&self) -> Option<Sent> {
        let name = self.server.base_url(self.name).map_or("", |_| self.name);
        let jwt = self.server.last_assertion(name)?;
        Some(self.read(&jwt, self.latest.lock().unwrap().0))
    }

    /// Gets a token with the profile, and returns the assertion that it sent.
    #[track_caller]
    fn ours(&self, profile: &Profile, key: impl Signer + 'static) -> Sent {
        let source = TokenSource::with_transport(self.agent(), profile.clone(), key).unwrap();
        let token = source.token().unwrap();
        let last = self.last();
        last.unwrap_or_else(|| self.read(token.secret(), now())) // the assertion is the token
    }

    /// A client gets its token. Records its assertion next to that of our profile.
    #[track_caller]
    pub(crate) fn compare(
        &self,
        vendor: Vendor,
        case: &str,
        inputs: Value,
        profile: &Profile,
        key: impl Signer + 'static,
    ) {
        let output = self.run(vendor, inputs);
        let theirs = self.last().unwrap(); // before another request: only the latest time is kept
        self.assert_is_token(output.text("token"));
        let ours = self.ours(profile, key);
        self.record_comparison(vendor, case, "yes", &theirs, &ours);
    }

    /// A client makes an assertion, which `send` gives to the sandbox. `send` returns what the page says about it.
    #[track_caller]
    pub(crate) fn compare_assertion(
        &self,
        vendor: Vendor,
        case: &str,
        inputs: Value,
        (profile, key): (&Profile, impl Signer + 'static),
        send: impl FnOnce(&Self, &Output) -> &'static str,
    ) {
        let ours = self.ours(profile, key);
        let output = self.run(vendor, inputs);
        let (base, at) = (self.base(), output.value["at"].as_f64().unwrap());
        // Some clients have their own server.
        let url = output.value["url"].as_str().unwrap_or(&base);
        let theirs = Sent::read(output.text("assertion"), at, &[(url, "{base}")]);
        self.record_comparison(vendor, case, send(self, &output), &theirs, &ours);
    }

    /// A client that is given our assertion gets a token for it.
    #[track_caller]
    pub(crate) fn give_ours(
        &self,
        vendor: Vendor,
        case: &str,
        mut inputs: Value,
        profile: &Profile,
        key: &dyn Signer,
    ) {
        let exchange = Exchange::new(profile, key, SystemTime::now()).unwrap();
        inputs["assertion"] = exchange.assertion().secret().into();
        let output = self.run(vendor, inputs);
        self.assert_is_token(output.text("token"));
        self.record("Clients that take our assertion", vendor, [case, "yes"]);
    }

    #[track_caller]
    fn record_comparison(
        &self,
        vendor: Vendor,
        case: &str,
        token: &str,
        theirs: &Sent,
        ours: &Sent,
    ) {
        let compared = theirs.compare(ours);
        let cells = [
            case,
            token,
            &compared.same,
            &compared.client_alone,
            &compared.we_alone,
            &compared.differs,
        ];
        self.record("Clients that sign", vendor, cells);
    }

    /// Writes a row of `SEEN.md`, which must be the same in each run: it contains no port, no time and no token.
    #[track_caller]
    fn record<const N: usize>(&self, table: &str, vendor: Vendor, cells: [&str; N]) {
        let (Vendor::Python(package, _) | Vendor::Node(package, _)) = vendor;
        let row: Vec<_> = [table, package, self.name]
            .into_iter()
            .chain(cells)
            .collect();
        assert!(!row.iter().any(|cell| cell.contains(['\n', '\t'])));
        let row = row.join("\t").replace('|', "\\|") + "\n";
        // A single write, since concurrent tests append to the same file.
        let mut results = File::options();
        let results = results.create(true).append(true).open(env("SDKS_RESULTS"));
        results.unwrap().write_all(row.as_bytes()).unwrap();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.root);
    }
}
