//! TLS with a private root: clients that trust it get a token, and untrusted certificates are refused.

use std::error::Error as _;
use std::process::{Command, Output};

use jwt_bearer::{Audience, Endpoint, ErrorKind, TokenSource};

use crate::servers::{FLOWS, Flow, agent};
use crate::support::{env, path, record};

/// Runs the command line, with the root certificate of the run as `--ca` if `ca` is set.
#[track_caller]
fn command(flow: Flow, issuer: &str, ca: bool) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jwt-bearer"));
    command.arg("token");
    let name = match flow {
        Flow::ByKey => "client-credentials --client-id pkjwt",
        Flow::BySecret => "client-credentials --client-id csjwt",
        Flow::Grant => "jwt-bearer --issuer bearer --client-id bearer --subject alice",
    };
    command.args(name.split(' '));
    match flow {
        Flow::BySecret => command.arg("--secret").arg(path("keys/secret.txt")),
        _ => {
            command.arg("--key").arg(path("keys/client.pem"));
            command.args(["--key-id", "client-key-1"])
        }
    };
    command.args(["--scope", "read", "--discover", issuer]);
    if ca {
        command.arg("--ca").arg(path("keys/ca.pem"));
    }
    for proxy in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"] {
        command.env_remove(proxy).env_remove(proxy.to_lowercase());
    }
    command.output().unwrap()
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn command_line_ca_option_is_needed_to_trust_a_private_root() {
    let issuer = env("INTEROP_TLS");
    for flow in FLOWS {
        let output = command(flow, &issuer, true);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let errors = text(&output.stderr);
        assert_eq!((output.status.code(), &*errors), (Some(0), ""));
        let token = text(&output.stdout);
        assert!(token.trim_end().len() > 20 && token.ends_with('\n'));
        let name = format!("{}, over TLS", flow.name());
        record("oidc-provider", &name, "jwt-bearer token --ca", "a token");

        let output = command(flow, &issuer, false);
        let authority = issuer.strip_prefix("https://").unwrap();
        let refused = format!(
            "jwt-bearer: {authority}: its TLS certificate is not accepted: \
             invalid peer certificate: UnknownIssuer; the certificate is for "
        );
        let hint = "\n  trust the CA that issued the certificate with --ca FILE, or the roots of this machine with \
            --system-roots; behind a proxy that inspects TLS it is the proxy's CA\n";
        assert_eq!(output.status.code(), Some(4));
        let printed = text(&output.stderr);
        assert!(
            printed.starts_with(&refused) && printed.contains(hint),
            "{printed}"
        );
        assert_eq!(output.stdout.len(), 0);
    }
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn untrusted_certificate_is_refused_with_its_reason() {
    let unknown = "invalid peer certificate: UnknownIssuer";
    let other_name = "invalid peer certificate: certificate not valid for name \"localhost\"; \
        certificate is only valid for DnsName(\"elsewhere.example\")";
    let expired = "invalid peer certificate: certificate expired";
    for (server, trusted, case, reason) in [
        ("INTEROP_TLS", false, "an unknown root", unknown),
        (
            "INTEROP_TLS_OTHER_NAME",
            true,
            "a certificate for another name",
            other_name,
        ),
        (
            "INTEROP_TLS_EXPIRED",
            true,
            "a certificate that has expired",
            expired,
        ),
    ] {
        let issuer = env(server);
        for endpoint in [
            Endpoint::issuer(&*issuer).unwrap(),
            Endpoint::token(format!("{issuer}/token")).unwrap(),
        ] {
            for flow in FLOWS {
                let audience = Audience::Fixed(issuer.clone());
                let profile = flow.profile(endpoint.clone(), audience);
                let source = match trusted {
                    true => TokenSource::with_transport(agent(), profile, flow.key()),
                    false => TokenSource::new(profile, flow.key()),
                };
                let error = source.unwrap().token().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Network);
                assert!(!error.is_retryable());
                let authority = issuer.strip_prefix("https://").unwrap();
                let what = "its TLS certificate is not accepted";
                assert_eq!(error.to_string(), format!("{authority}: {what}"));
                let cause = error.source().unwrap().to_string();
                // The text goes on with the time of expiry.
                assert!(cause.starts_with(reason), "{cause}");
            }
        }
        if trusted {
            let output = command(Flow::ByKey, &issuer, true);
            let errors = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(4));
            assert!(errors.contains(reason), "{errors}");
        }
        let result = format!("its TLS certificate is not accepted: {reason}");
        record("oidc-provider", "every flow, over TLS", case, result);
    }
}
