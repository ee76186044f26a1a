//! Clients of other authors against the sandbox: each gets a token, and each mistake is refused.
//!
//! The scripts follow the documents of the providers and libraries. They read their parameters from the environment.
//! The reason of a refusal is read from the log of the sandbox, since some providers do not return it.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};

use jwt_bearer::sandbox::{Client, Key, Server};
use serde_json::{Value, json};

use crate::support::{file, path, record};

const SECRET: &str = "00112233-4455-6677-8899-aabbccddeeff";

/// A client of other authors with its correct parameters.
struct Peer {
    /// The program whose version `SEEN.md` names.
    name: &'static str,
    flow: &'static str,
    program: &'static str,
    script: Option<&'static str>,
    parameters: fn(&Server) -> Vec<(&'static str, String)>,
    mistakes: &'static [Mistake],
    /// Status and body of the expected error response, by the reason of the refusal.
    error_response: fn(reason: &str) -> (u16, Value),
}

struct Mistake {
    name: &'static str,
    /// The parameters that replace correct ones.
    overrides: fn() -> Vec<(&'static str, String)>,
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
const DUPLICATE_MEMBER: &str = "a member of the header or of the claims occurs more than once";
const REPLAY: &str = "jti was used before";

fn variables<const N: usize>(pairs: [(&'static str, &str); N]) -> Vec<(&'static str, String)> {
    pairs.map(|(name, value)| (name, value.to_owned())).into()
}
fn key(name: &str) -> (&'static str, String) {
    (
        "KEY",
        path(&format!("keys/{name}.pem")).display().to_string(),
    )
}

macro_rules! mistakes {
    ($($name:literal: $overrides:expr => $reason:expr;)*) => {
        &[$(Mistake { name: $name, overrides: || $overrides, reason: $reason }),*]
    };
}

const PEERS: [Peer; 9] = [
    Peer {
        name: "PyJWT",
        flow: "Cylance's document",
        program: "venv/bin/python",
        script: Some("cylance.py"),
        parameters: |server| {
            let url = format!("{}/auth/v2/token", server.url());
            let names = [
                ("CLIENT", "application"),
                ("TENANT", "tenant"),
                ("SECRET", SECRET),
            ];
            [
                variables(names),
                variables([("URL", &url), ("SCOPE", "device:list")]),
            ]
            .concat()
        },
        mistakes: mistakes! {
            "wrong key": variables([("SECRET", "another secret of thirty-two bytes")]) => SIGNATURE;
            "an aud claim": variables([("AUDIENCE", "https://elsewhere.example.com")]) => AUDIENCE;
            "expired": variables([("SHIFT", "-7200")]) => EXPIRED;
            "iat in the future": variables([("SHIFT", "600")]) => FUTURE;
            "wrong alg": variables([("ALG", "HS512")]) => ALG;
            "alg none": variables([("ALG", "none"), ("SECRET", "")]) => ALG;
            "unknown client": variables([("CLIENT", "nobody")]) => UNKNOWN;
            "another tenant": variables([("TENANT", "another")]) => "claim tid is missing or wrong";
            "scope not allowed": variables([("SCOPE", "device:list policy:update")]) => SCOPE;
            "garbage": variables([("ASSERTION", "garbage")]) => GARBAGE;
        },
        error_response: |reason| match reason {
            SCOPE => (403, json!({ "message": "Insufficient scope" })),
            _ => (401, json!({ "message": "Invalid JWT payload" })),
        },
    },
    Peer {
        name: "jwt",
        flow: "Marketing Cloud Intelligence's document, parameters in the query",
        parameters: |server| [intelligence(server), variables([("PLACEMENT", "params")])].concat(),
        ..INTELLIGENCE
    },
    Peer {
        name: "jwt",
        flow: "Marketing Cloud Intelligence's document, parameters in a form",
        parameters: |server| [intelligence(server), variables([("PLACEMENT", "data")])].concat(),
        ..INTELLIGENCE
    },
    Peer {
        name: "openid-client",
        flow: "discovery, client_credentials, RS256",
        program: "node",
        script: Some("openid_client.mjs"),
        parameters: |server| {
            let names = [
                ("ISSUER", server.url()),
                ("CLIENT", "client-1"),
                ("SCOPE", "read"),
            ];
            [variables(names), vec![key("client")]].concat()
        },
        mistakes: mistakes! {
            "wrong key": vec![key("wrong")] => SIGNATURE;
            "wrong audience": variables([("AUDIENCE", "https://elsewhere.example.com")]) => AUDIENCE;
            "expired": variables([("SHIFT", "-7200")]) => EXPIRED;
            "iat in the future": variables([("SHIFT", "600")]) => FUTURE;
            "wrong alg": variables([("ALG", "RS512")]) => ALG;
            "unknown client": variables([("CLIENT", "nobody")]) => UNKNOWN;
            "scope not allowed": variables([("SCOPE", "read admin")]) => SCOPE;
            "garbage": variables([("ASSERTION", "garbage")]) => GARBAGE;
        },
        error_response: client_error,
    },
    Peer {
        name: "openid-client",
        flow: "discovery, client_credentials, HS256",
        program: "node",
        script: Some("openid_client.mjs"),
        parameters: |server| {
            let names = [
                ("ISSUER", server.url()),
                ("CLIENT", "client-2"),
                ("SCOPE", "read"),
            ];
            [variables(names), variables([("SECRET", SECRET)])].concat()
        },
        mistakes: mistakes! {
            "wrong key": variables([("SECRET", "another secret of thirty-two bytes")]) => SIGNATURE;
            "wrong audience": variables([("AUDIENCE", "https://elsewhere.example.com")]) => AUDIENCE;
            "expired": variables([("SHIFT", "-7200")]) => EXPIRED;
            "iat in the future": variables([("SHIFT", "600")]) => FUTURE;
            "unknown client": variables([("CLIENT", "nobody")]) => UNKNOWN;
            "scope not allowed": variables([("SCOPE", "read admin")]) => SCOPE;
            "garbage": variables([("ASSERTION", "garbage")]) => GARBAGE;
        },
        error_response: client_error,
    },
    Peer {
        name: "golang-golang-x-oauth2-dev",
        flow: "jwt-bearer grant, RS256, without jti",
        program: "grant",
        script: None,
        parameters: |server| {
            let names = [
                ("CLIENT", "issuer-1"),
                ("SUBJECT", "alice"),
                ("SCOPE", "read"),
            ];
            [
                variables(names),
                variables([("URL", &server.token_endpoint())]),
                vec![key("client")],
            ]
            .concat()
        },
        mistakes: mistakes! {
            "wrong key": vec![key("wrong")] => SIGNATURE;
            "wrong audience": variables([("AUDIENCE", "https://elsewhere.example.com")]) => AUDIENCE;
            "expired": variables([("SHIFT", "-7200")]) => EXPIRED;
            "iat in the future": variables([("SHIFT", "600")]) => FUTURE;
            "wrong alg": variables([("ALG", "RS512")]) => ALG;
            "unknown client": variables([("CLIENT", "nobody")]) => UNKNOWN;
            "unknown user": variables([("SUBJECT", "mallory")]) => "claim sub is missing or wrong";
            "scope not allowed": variables([("SCOPE", "read admin")]) => SCOPE;
            "two members exp": variables([("SECOND_EXP", "1")]) => DUPLICATE_MEMBER;
            "garbage": variables([("ASSERTION", "garbage")]) => GARBAGE;
        },
        error_response: grant_error,
    },
    Peer {
        name: "curl",
        flow: "client_credentials, RS256 by openssl",
        parameters: |server| {
            [
                curl(server),
                variables([("CLIENT", "client-1"), ("ALG", "RS256")]),
            ]
            .concat()
        },
        ..CURL
    },
    Peer {
        name: "curl",
        flow: "client_credentials, HS256 by openssl",
        parameters: |server| {
            [
                curl(server),
                variables([("CLIENT", "client-2"), ("ALG", "HS256")]),
            ]
            .concat()
        },
        mistakes: mistakes! {
            "wrong key": variables([("SECRET", "another secret of thirty-two bytes")]) => SIGNATURE;
            "wrong audience": variables([("AUDIENCE", "https://elsewhere.example.com")]) => AUDIENCE;
            "expired": variables([("SHIFT", "-7200")]) => EXPIRED;
            "iat in the future": variables([("SHIFT", "600")]) => FUTURE;
            "wrong alg": variables([("ALG", "HS512")]) => ALG;
            "unknown client": variables([("CLIENT", "nobody")]) => UNKNOWN;
            "scope not allowed": variables([("SCOPE", "read admin")]) => SCOPE;
            "garbage": variables([("ASSERTION", "garbage")]) => GARBAGE;
        },
        ..CURL
    },
    Peer {
        name: "curl",
        flow: "Salesforce's grant, RS256 by openssl",
        parameters: |server| {
            let names = [("CLIENT", "consumer-key"), ("SUBJECT", "user@example.com")];
            let url = format!("{}/services/oauth2/token", server.url());
            let grant = [("GRANT", "jwt-bearer"), ("ALG", "RS256"), ("URL", &url)];
            [
                curl(server),
                variables(names),
                variables(grant),
                variables([("SCOPE", "")]),
            ]
            .concat()
        },
        mistakes: mistakes! {
            "wrong key": vec![key("wrong")] => SIGNATURE;
            "wrong audience": variables([("AUDIENCE", "https://elsewhere.example.com")]) => AUDIENCE;
            "expired": variables([("SHIFT", "-7200")]) => EXPIRED;
            "iat in the future": variables([("SHIFT", "100")]) => FUTURE;
            "exp more than three minutes ahead": variables([("LIFETIME", "600")]) => "exp lies too far ahead";
            "wrong alg": variables([("ALG", "RS512")]) => ALG;
            "unknown client": variables([("CLIENT", "nobody")]) => UNKNOWN;
            "unknown user": variables([("SUBJECT", "mallory")]) => "claim sub is missing or wrong";
            "garbage": variables([("ASSERTION", "garbage")]) => GARBAGE;
        },
        error_response: |reason| {
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
    parameters: intelligence,
    mistakes: mistakes! {
        "wrong key": vec![key("wrong")] => SIGNATURE;
        "wrong audience": variables([("AUDIENCE", "https://elsewhere.example.com")]) => AUDIENCE;
        "aud with the stray quote of the document":
            variables([("AUDIENCE", "https://idp.intelligence.salesforce.com\"")]) => AUDIENCE;
        "expired": variables([("LIFETIME", "-60")]) => EXPIRED;
        "iat in the future": variables([("SHIFT", "600")]) => FUTURE;
        "wrong alg": variables([("ALG", "RS512")]) => ALG;
        "HS256 with the public key as the secret": variables([("ALG", "HS256")]) => ALG;
        "unknown client": variables([("CLIENT", "nobody")]) => UNKNOWN;
        "garbage": variables([("ASSERTION", "garbage")]) => GARBAGE;
    },
    error_response: client_error,
};
fn intelligence(server: &Server) -> Vec<(&'static str, String)> {
    let public = path("keys/client.pub.pem").display().to_string();
    let discovery = server.discovery_endpoint();
    let names = [
        ("CLIENT", "service-account"),
        ("DISCOVERY_ENDPOINT", &discovery),
    ];
    [
        variables(names),
        variables([("PUBLIC_KEY", &public)]),
        vec![key("client")],
    ]
    .concat()
}

const CURL: Peer = Peer {
    name: "curl",
    flow: "",
    program: "bash",
    script: Some("curl.sh"),
    parameters: curl,
    mistakes: mistakes! {
        "wrong key": vec![key("wrong")] => SIGNATURE;
        "wrong audience": variables([("AUDIENCE", "https://elsewhere.example.com")]) => AUDIENCE;
        "no audience": variables([("AUDIENCE", "")]) => AUDIENCE;
        "expired": variables([("SHIFT", "-7200")]) => EXPIRED;
        "iat in the future": variables([("SHIFT", "600")]) => FUTURE;
        "no jti": variables([("JTI", "")]) => "claim jti is missing or wrong";
        "wrong alg": variables([("ALG", "RS512")]) => ALG;
        "unknown client": variables([("CLIENT", "nobody")]) => UNKNOWN;
        "sub of another client": variables([("SUBJECT", "client-2")]) => "claim sub is missing or wrong";
        "scope not allowed": variables([("SCOPE", "read admin")]) => SCOPE;
        "garbage": variables([("ASSERTION", "garbage")]) => GARBAGE;
    },
    error_response: client_error,
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
    [variables(names), variables(urls), vec![key("client")]].concat()
}

/// The error response of RFC 6749 §5.2 to a client that could not be authenticated.
fn client_error(reason: &str) -> (u16, Value) {
    let (status, code) = match reason {
        SCOPE => (400, "invalid_scope"),
        _ => (401, "invalid_client"),
    };
    (
        status,
        json!({ "error": code, "error_description": reason }),
    )
}

/// The error response of RFC 6749 §5.2 to a wrong grant.
fn grant_error(reason: &str) -> (u16, Value) {
    let code = match reason {
        SCOPE => "invalid_scope",
        _ => "invalid_grant",
    };
    (400, json!({ "error": code, "error_description": reason }))
}

/// Starts the sandbox with a client registration of each kind. Returns it with its log.
fn sandbox() -> (Server, Arc<Mutex<Vec<String>>>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let writer = log.clone();
    let write = move |line: &str| writer.lock().unwrap().push(line.to_owned());
    let server = Server::listen(SocketAddr::from(([127, 0, 0, 1], 0)), write).unwrap();
    let public = Key::public_pem(file("keys/client.pub.pem")).unwrap();
    let with_key = |id| Client::new(id, public.clone()).with_scope("read");
    server.register(with_key("service-account"));
    server.register(with_key("consumer-key").with_user("user@example.com"));
    server.register(with_key("client-1"));
    server.register(with_key("issuer-1").with_user("alice"));
    server.register(Client::new("client-2", Key::secret(SECRET)).with_scope("read"));
    let application = Client::new("application", Key::secret(SECRET)).with_tenant("tenant");
    server.register(application.with_scope("device:list"));
    (server, log)
}

impl Peer {
    /// Runs the client. Returns status and body of the response that it got.
    #[track_caller]
    fn run(&self, server: &Server, overrides: Vec<(&str, String)>) -> (u16, Value) {
        let program = match self.program.contains('/') || self.script.is_none() {
            true => path(self.program),
            false => self.program.into(),
        };
        let mut command = Command::new(program);
        command.args(self.script.map(|script| {
            match script.ends_with(".mjs") {
                true => path(script), // a module finds the installed ones in its own directory
                false => [env!("CARGO_MANIFEST_DIR"), "tests/interop", script]
                    .iter()
                    .collect(),
            }
        }));
        command.envs((self.parameters)(server)).envs(overrides);
        let output = command.output();
        let output = output.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let stdout = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {stdout}{errors}");
        let (status, body) = stdout.split_once('\n').unwrap();
        (status.parse().unwrap(), serde_json::from_str(body).unwrap())
    }

    #[track_caller]
    fn check_token_and_each_mistake(&self) {
        let (server, log) = sandbox();
        let last_log_line = || log.lock().unwrap().last().cloned().unwrap();

        let (status, body) = self.run(&server, Vec::new());
        let token = body["access_token"].as_str().unwrap_or_default();
        assert!(status == 200 && token.len() >= 43, "{}: {body}", self.flow);
        record(self.name, self.flow, "no mistake", "200, a token");

        let assert_refused = |mistake: &str, reason: &str, response: (u16, Value)| {
            let line = last_log_line();
            assert!(
                line.ends_with(&format!("refused, {reason}")),
                "{}, {mistake}: {line}",
                self.flow
            );
            assert_eq!(
                response,
                (self.error_response)(reason),
                "{}, {mistake}",
                self.flow
            );
            record(
                self.name,
                self.flow,
                mistake,
                format!("{} {}", response.0, response.1),
            );
        };
        for mistake in self.mistakes {
            let response = self.run(&server, (mistake.overrides)());
            assert_refused(mistake.name, mistake.reason, response);
        }
        let fixed_jti = variables([("JTI", "5a1c6f0e-3a6d-4a55-9a0b-7f9a54e0a4ac")]);
        assert_eq!(self.run(&server, fixed_jti.clone()).0, 200, "{}", self.flow);
        assert_refused("jti used before", REPLAY, self.run(&server, fixed_jti));

        assert_eq!(self.run(&server, Vec::new()).0, 200, "{}", self.flow);
    }
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn sandbox_accepts_third_party_clients_and_refuses_each_mistake() {
    std::thread::scope(|threads| {
        for peer in &PEERS {
            threads.spawn(|| peer.check_token_and_each_mistake());
        }
    });
}
