//! Other people's clients against our sandbox: each gets a token, and is refused for each mistake.
//!
//! The scripts follow the documents of the systems and the libraries; what they need to know comes in their
//! environment. Why the sandbox refuses stands in its log, since some systems do not tell.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};

use jwt_bearer::sandbox::{Client, Key, Server};
use serde_json::{Value, json};

use crate::support::{file, path, seen};

const SECRET: &str = "00112233-4455-6677-8899-aabbccddeeff";

/// A client that others wrote, and what it knows when all is right.
struct Peer {
    /// As `SEEN.md` has it: whose version counts, and what is done.
    name: &'static str,
    flow: &'static str,
    program: &'static str,
    script: Option<&'static str>,
    knows: fn(&Server) -> Vec<(&'static str, String)>,
    /// Mistakes, and why they are refused.
    mistakes: &'static [Mistake],
    /// What the client is told: by status and body, for a reason.
    refusal: fn(reason: &str) -> (u16, Value),
}

struct Mistake {
    name: &'static str,
    /// What it knows instead.
    instead: fn() -> Vec<(&'static str, String)>,
    reason: &'static str,
}

const SIGNATURE: &str = "the signature is not of the client's key";
const ALG: &str = "alg is not the one of the client's key";
const AUDIENCE: &str = "claim aud is not this server, as one string";
const EXPIRED: &str = "the assertion has expired";
const FUTURE: &str = "iat or nbf lies in the future";
const UNKNOWN: &str = "the client is unknown";
const SCOPE: &str = "a scope is not allowed";
const GARBAGE: &str = "the assertion is not a JWT";
const REPLAY: &str = "jti was used before";

fn of<const N: usize>(pairs: [(&'static str, &str); N]) -> Vec<(&'static str, String)> {
    pairs.map(|(name, value)| (name, value.to_owned())).into()
}
fn key(name: &str) -> (&'static str, String) {
    (
        "KEY",
        path(&format!("keys/{name}.pem")).display().to_string(),
    )
}

macro_rules! mistakes {
    ($($name:literal: $instead:expr => $reason:expr;)*) => {
        &[$(Mistake { name: $name, instead: || $instead, reason: $reason }),*]
    };
}

const PEERS: [Peer; 9] = [
    Peer {
        name: "PyJWT",
        flow: "Cylance's document",
        program: "venv/bin/python",
        script: Some("cylance.py"),
        knows: |server| {
            let url = format!("{}/auth/v2/token", server.url());
            let names = [
                ("CLIENT", "application"),
                ("TENANT", "tenant"),
                ("SECRET", SECRET),
            ];
            [of(names), of([("URL", &url), ("SCOPE", "device:list")])].concat()
        },
        mistakes: mistakes! {
            "wrong key": of([("SECRET", "another secret of thirty-two bytes")]) => SIGNATURE;
            "an audience": of([("AUDIENCE", "https://elsewhere.example.com")]) => AUDIENCE;
            "expired": of([("SHIFT", "-7200")]) => EXPIRED;
            "iat in the future": of([("SHIFT", "600")]) => FUTURE;
            "wrong alg": of([("ALG", "HS512")]) => ALG;
            "alg none": of([("ALG", "none"), ("SECRET", "")]) => ALG;
            "unknown client": of([("CLIENT", "nobody")]) => UNKNOWN;
            "another tenant": of([("TENANT", "another")]) => "claim tid is missing or wrong";
            "scope not allowed": of([("SCOPE", "device:list policy:update")]) => SCOPE;
            "garbage": of([("ASSERTION", "garbage")]) => GARBAGE;
        },
        refusal: |reason| match reason {
            SCOPE => (403, json!({ "message": "Insufficient scope" })),
            _ => (401, json!({ "message": "Invalid JWT payload" })),
        },
    },
    Peer {
        name: "jwt",
        flow: "Marketing Cloud Intelligence's document, parameters in the query",
        knows: |server| [intelligence(server), of([("PLACEMENT", "params")])].concat(),
        ..INTELLIGENCE
    },
    Peer {
        name: "jwt",
        flow: "Marketing Cloud Intelligence's document, parameters in a form",
        knows: |server| [intelligence(server), of([("PLACEMENT", "data")])].concat(),
        ..INTELLIGENCE
    },
    Peer {
        name: "openid-client",
        flow: "discovery, client_credentials, RS256",
        program: "node",
        script: Some("openid_client.mjs"),
        knows: |server| {
            let names = [
                ("ISSUER", server.url()),
                ("CLIENT", "client-1"),
                ("SCOPE", "read"),
            ];
            [of(names), vec![key("client")]].concat()
        },
        mistakes: mistakes! {
            "wrong key": vec![key("wrong")] => SIGNATURE;
            "wrong audience": of([("AUDIENCE", "https://elsewhere.example.com")]) => AUDIENCE;
            "expired": of([("SHIFT", "-7200")]) => EXPIRED;
            "iat in the future": of([("SHIFT", "600")]) => FUTURE;
            "wrong alg": of([("ALG", "RS512")]) => ALG;
            "unknown client": of([("CLIENT", "nobody")]) => UNKNOWN;
            "scope not allowed": of([("SCOPE", "read admin")]) => SCOPE;
            "garbage": of([("ASSERTION", "garbage")]) => GARBAGE;
        },
        refusal: authentication,
    },
    Peer {
        name: "openid-client",
        flow: "discovery, client_credentials, HS256",
        program: "node",
        script: Some("openid_client.mjs"),
        knows: |server| {
            let names = [
                ("ISSUER", server.url()),
                ("CLIENT", "client-2"),
                ("SCOPE", "read"),
            ];
            [of(names), of([("SECRET", SECRET)])].concat()
        },
        mistakes: mistakes! {
            "wrong key": of([("SECRET", "another secret of thirty-two bytes")]) => SIGNATURE;
            "wrong audience": of([("AUDIENCE", "https://elsewhere.example.com")]) => AUDIENCE;
            "expired": of([("SHIFT", "-7200")]) => EXPIRED;
            "iat in the future": of([("SHIFT", "600")]) => FUTURE;
            "unknown client": of([("CLIENT", "nobody")]) => UNKNOWN;
            "scope not allowed": of([("SCOPE", "read admin")]) => SCOPE;
            "garbage": of([("ASSERTION", "garbage")]) => GARBAGE;
        },
        refusal: authentication,
    },
    Peer {
        name: "golang-golang-x-oauth2-dev",
        flow: "jwt-bearer grant, RS256, without jti",
        program: "grant",
        script: None,
        knows: |server| {
            let names = [
                ("CLIENT", "issuer-1"),
                ("SUBJECT", "alice"),
                ("SCOPE", "read"),
            ];
            [
                of(names),
                of([("URL", &server.token_endpoint())]),
                vec![key("client")],
            ]
            .concat()
        },
        mistakes: mistakes! {
            "wrong key": vec![key("wrong")] => SIGNATURE;
            "wrong audience": of([("AUDIENCE", "https://elsewhere.example.com")]) => AUDIENCE;
            "expired": of([("SHIFT", "-7200")]) => EXPIRED;
            "iat in the future": of([("SHIFT", "600")]) => FUTURE;
            "wrong alg": of([("ALG", "RS512")]) => ALG;
            "unknown client": of([("CLIENT", "nobody")]) => UNKNOWN;
            "unknown user": of([("SUBJECT", "mallory")]) => "claim sub is missing or wrong";
            "scope not allowed": of([("SCOPE", "read admin")]) => SCOPE;
            "garbage": of([("ASSERTION", "garbage")]) => GARBAGE;
        },
        refusal: grant,
    },
    Peer {
        name: "curl",
        flow: "client_credentials, RS256 by openssl",
        knows: |server| [curl(server), of([("CLIENT", "client-1"), ("ALG", "RS256")])].concat(),
        ..CURL
    },
    Peer {
        name: "curl",
        flow: "client_credentials, HS256 by openssl",
        knows: |server| [curl(server), of([("CLIENT", "client-2"), ("ALG", "HS256")])].concat(),
        mistakes: mistakes! {
            "wrong key": of([("SECRET", "another secret of thirty-two bytes")]) => SIGNATURE;
            "wrong audience": of([("AUDIENCE", "https://elsewhere.example.com")]) => AUDIENCE;
            "expired": of([("SHIFT", "-7200")]) => EXPIRED;
            "iat in the future": of([("SHIFT", "600")]) => FUTURE;
            "wrong alg": of([("ALG", "HS512")]) => ALG;
            "unknown client": of([("CLIENT", "nobody")]) => UNKNOWN;
            "scope not allowed": of([("SCOPE", "read admin")]) => SCOPE;
            "garbage": of([("ASSERTION", "garbage")]) => GARBAGE;
        },
        ..CURL
    },
    Peer {
        name: "curl",
        flow: "Salesforce's grant, RS256 by openssl",
        knows: |server| {
            let names = [("CLIENT", "consumer-key"), ("SUBJECT", "user@example.com")];
            let url = format!("{}/services/oauth2/token", server.url());
            let grant = [("GRANT", "jwt-bearer"), ("ALG", "RS256"), ("URL", &url)];
            [curl(server), of(names), of(grant), of([("SCOPE", "")])].concat()
        },
        mistakes: mistakes! {
            "wrong key": vec![key("wrong")] => SIGNATURE;
            "wrong audience": of([("AUDIENCE", "https://elsewhere.example.com")]) => AUDIENCE;
            "expired": of([("SHIFT", "-7200")]) => EXPIRED;
            "iat in the future": of([("SHIFT", "100")]) => FUTURE;
            "exp more than three minutes ahead": of([("LIFETIME", "600")]) => "exp lies too far ahead";
            "wrong alg": of([("ALG", "RS512")]) => ALG;
            "unknown client": of([("CLIENT", "nobody")]) => UNKNOWN;
            "unknown user": of([("SUBJECT", "mallory")]) => "claim sub is missing or wrong";
            "garbage": of([("ASSERTION", "garbage")]) => GARBAGE;
        },
        refusal: |reason| {
            let (code, description) = match reason {
                UNKNOWN => ("invalid_client_id", "client identifier invalid"),
                AUDIENCE => ("invalid_grant", "audience is invalid"),
                "claim sub is missing or wrong" => {
                    ("invalid_grant", "user hasn't approved this consumer")
                }
                _ => ("invalid_grant", "invalid assertion"),
            };
            (
                400,
                json!({ "error": code, "error_description": description }),
            )
        },
        ..CURL
    },
];

const INTELLIGENCE: Peer = Peer {
    name: "jwt",
    flow: "",
    program: "venv-intelligence/bin/python",
    script: Some("intelligence.py"),
    knows: intelligence,
    mistakes: mistakes! {
        "wrong key": vec![key("wrong")] => SIGNATURE;
        "wrong audience": of([("AUDIENCE", "https://elsewhere.example.com")]) => AUDIENCE;
        "the audience as printed": of([("AUDIENCE", "https://idp.intelligence.salesforce.com\"")]) => AUDIENCE;
        "expired": of([("LIFETIME", "-60")]) => EXPIRED;
        "iat in the future": of([("SHIFT", "600")]) => FUTURE;
        "wrong alg": of([("ALG", "RS512")]) => ALG;
        "HS256 with the public key as the secret": of([("ALG", "HS256")]) => ALG;
        "unknown client": of([("CLIENT", "nobody")]) => UNKNOWN;
        "garbage": of([("ASSERTION", "garbage")]) => GARBAGE;
    },
    refusal: authentication,
};
fn intelligence(server: &Server) -> Vec<(&'static str, String)> {
    let public = path("keys/client.pub.pem").display().to_string();
    let discovery = server.discovery_endpoint();
    let names = [
        ("CLIENT", "service-account"),
        ("DISCOVERY_ENDPOINT", &discovery),
    ];
    [
        of(names),
        of([("PUBLIC_KEY", &public)]),
        vec![key("client")],
    ]
    .concat()
}

const CURL: Peer = Peer {
    name: "curl",
    flow: "",
    program: "bash",
    script: Some("curl.sh"),
    knows: curl,
    mistakes: mistakes! {
        "wrong key": vec![key("wrong")] => SIGNATURE;
        "wrong audience": of([("AUDIENCE", "https://elsewhere.example.com")]) => AUDIENCE;
        "no audience": of([("AUDIENCE", "")]) => AUDIENCE;
        "expired": of([("SHIFT", "-7200")]) => EXPIRED;
        "iat in the future": of([("SHIFT", "600")]) => FUTURE;
        "no jti": of([("JTI", "")]) => "claim jti is missing or wrong";
        "wrong alg": of([("ALG", "RS512")]) => ALG;
        "unknown client": of([("CLIENT", "nobody")]) => UNKNOWN;
        "another's name in sub": of([("SUBJECT", "client-2")]) => "claim sub is missing or wrong";
        "scope not allowed": of([("SCOPE", "read admin")]) => SCOPE;
        "garbage": of([("ASSERTION", "garbage")]) => GARBAGE;
    },
    refusal: authentication,
};
fn curl(server: &Server) -> Vec<(&'static str, String)> {
    let names = [
        ("GRANT", "client_credentials"),
        ("SCOPE", "read"),
        ("SECRET", SECRET),
    ];
    let urls = [
        ("URL", &*server.token_endpoint()),
        ("AUDIENCE", server.url()),
    ];
    [of(names), of(urls), vec![key("client")]].concat()
}

/// RFC 6749 §5.2, of a client that could not be authenticated.
fn authentication(reason: &str) -> (u16, Value) {
    let (status, code) = match reason {
        SCOPE => (400, "invalid_scope"),
        _ => (401, "invalid_client"),
    };
    (
        status,
        json!({ "error": code, "error_description": reason }),
    )
}

/// The same, of a grant.
fn grant(reason: &str) -> (u16, Value) {
    let code = match reason {
        SCOPE => "invalid_scope",
        _ => "invalid_grant",
    };
    (400, json!({ "error": code, "error_description": reason }))
}

/// Our sandbox with a client of each kind, and its log.
fn sandbox() -> (Server, Arc<Mutex<Vec<String>>>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let writer = log.clone();
    let write = move |line: &str| writer.lock().unwrap().push(line.to_owned());
    let server = Server::listen(SocketAddr::from(([127, 0, 0, 1], 0)), write).unwrap();
    let public = Key::public_pem(file("keys/client.pub.pem")).unwrap();
    let by_key = |id| Client::new(id, public.clone()).with_scope("read");
    server.register(by_key("service-account"));
    server.register(by_key("consumer-key").with_user("user@example.com"));
    server.register(by_key("client-1"));
    server.register(by_key("issuer-1").with_user("alice"));
    server.register(Client::new("client-2", Key::secret(SECRET)).with_scope("read"));
    let application = Client::new("application", Key::secret(SECRET)).with_tenant("tenant");
    server.register(application.with_scope("device:list"));
    (server, log)
}

impl Peer {
    /// What it is told: status and body.
    #[track_caller]
    fn ask(&self, server: &Server, instead: Vec<(&str, String)>) -> (u16, Value) {
        let program = match self.program.contains('/') || self.script.is_none() {
            true => path(self.program),
            false => self.program.into(),
        };
        let mut command = Command::new(program);
        command.args(self.script.map(|script| {
            match script.ends_with(".mjs") {
                true => path(script), // beside what npm installed
                false => [env!("CARGO_MANIFEST_DIR"), "tests/interop", script]
                    .iter()
                    .collect(),
            }
        }));
        command.envs((self.knows)(server)).envs(instead);
        let output = command.output();
        let output = output.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let said = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}{errors}");
        let (status, body) = said.split_once('\n').unwrap();
        (status.parse().unwrap(), serde_json::from_str(body).unwrap())
    }

    #[track_caller]
    fn gets_a_token_and_is_refused_for_each_mistake(&self) {
        let (server, log) = sandbox();
        let last = || log.lock().unwrap().last().cloned().unwrap();

        let (status, body) = self.ask(&server, Vec::new());
        let token = body["access_token"].as_str().unwrap_or_default();
        assert!(status == 200 && token.len() >= 43, "{}: {body}", self.flow);
        seen(self.name, self.flow, "all right", "200, a token");

        let refused = |mistake: &str, reason: &str, told: (u16, Value)| {
            let line = last();
            assert!(
                line.ends_with(&format!("refused, {reason}")),
                "{}, {mistake}: {line}",
                self.flow
            );
            assert_eq!(told, (self.refusal)(reason), "{}, {mistake}", self.flow);
            seen(
                self.name,
                self.flow,
                mistake,
                format!("{} {}", told.0, told.1),
            );
        };
        for mistake in self.mistakes {
            let told = self.ask(&server, (mistake.instead)());
            refused(mistake.name, mistake.reason, told);
        }
        let again = of([("JTI", "5a1c6f0e-3a6d-4a55-9a0b-7f9a54e0a4ac")]);
        assert_eq!(self.ask(&server, again.clone()).0, 200, "{}", self.flow);
        refused("jti used before", REPLAY, self.ask(&server, again));

        assert_eq!(self.ask(&server, Vec::new()).0, 200, "{}", self.flow);
    }
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn sandbox_accepts_third_party_clients_and_refuses_each_mistake() {
    std::thread::scope(|threads| {
        for peer in &PEERS {
            threads.spawn(|| peer.gets_a_token_and_is_refused_for_each_mistake());
        }
    });
}
