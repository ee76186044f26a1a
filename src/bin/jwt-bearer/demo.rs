//! The `demo` command: three systems against one server that checks every assertion.

use std::io::Write as _;
use std::time::{Duration, SystemTime};

use jwt_bearer::sandbox::Server;
use jwt_bearer::{
    AccessToken, Error, Exchange, HmacKey, Profile, RsaKey, Signer, TokenSource, Transport as _,
    marketing_cloud_intelligence, salesforce,
};
use serde_json::json;
use ureq::Agent;

use crate::failure::Failure;
use crate::sandbox;
use crate::secrets::SharedSecrets;
use crate::trace;

/// The key that RFC 7515 Appendix A.2 publishes. No server may trust it.
const KEY: &str = include_str!("demo.pem");

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const RESET: &str = "\x1b[0m";

pub(crate) fn run() -> Result<(), Failure> {
    let server = Server::start().map_err(|error| Failure::config(error.to_string()))?;
    sandbox::register(&server, &RsaKey::from_pem(KEY)?, &[], &[]);
    print(&format!(
        "An authorization server that checks every assertion: {}",
        server.url()
    ))?;

    print_title(
        "Salesforce Marketing Cloud Intelligence: discovers its token endpoint, client_credentials, RS256",
    )?;
    let file = json!({
        "serviceAccountId": "service-account",
        "discoveryEndpoint": server.discovery_endpoint(),
        "privateKey": KEY,
    });
    let (profile, key) = marketing_cloud_intelligence::credentials(file.to_string())?;
    let source = source(profile, key)?;
    print_lifetime(&source.token()?);

    print_title("A second call of the same source")?;
    let before = server.requests();
    source.token()?;
    let sent = server.requests().saturating_sub(before);
    print_labelled((
        "token",
        format!("{GREEN}the same token{RESET}, {sent} requests sent"),
    ));

    print_title(
        "Salesforce Platform: JWT bearer flow, RS256; the response names user and instance",
    )?;
    let key = RsaKey::from_pem(KEY)?;
    let user = Profile::salesforce(server.url(), "consumer-key", "user@example.com")?;
    let token = self::source(user.clone(), key)?.token()?;
    let id = salesforce::organization_id(&token).zip(salesforce::user_id(&token));
    let (organization, person) = id.unwrap_or_default();
    print_labelled(("user", format!("{person}, organisation {organization}")));
    print_lifetime(&token);

    print_title("Cylance: HS256 over the application secret, posted as JSON")?;
    let application =
        Profile::cylance(server.url(), "tenant", "application")?.with_scope("device:list");
    print_lifetime(&self::source(application.clone(), HmacKey::new(sandbox::SECRET)?)?.token()?);

    print_title("The same assertion sent twice: a stolen assertion cannot be replayed")?;
    let key = HmacKey::new(sandbox::SECRET)?;
    let exchange = Exchange::new(&application, &key, SystemTime::now())?;
    let send = || agent().send(exchange.request(), Duration::from_secs(5));
    let outcome = send().and_then(|_| send());
    let replay = outcome.map_err(|error| Failure::config(error.to_string()))?;
    print_refusal(exchange.read(replay));

    print_title("A key that the server does not know")?;
    print_refusal(
        self::source(
            application,
            HmacKey::new("another secret, of thirty-two bytes")?,
        )?
        .token(),
    );

    print_title("The audience of another server")?;
    let elsewhere = jwt_bearer::Audience::Fixed("https://elsewhere.example".to_owned());
    let user = user.with_audience(elsewhere);
    print_refusal(TokenSource::with_transport(agent(), user, RsaKey::from_pem(KEY)?)?.token());
    Ok(())
}

fn agent() -> Agent {
    Agent::config_builder().proxy(None).build().into()
}

/// Returns a source that shows every request and response.
fn source(profile: Profile, key: impl Signer + 'static) -> Result<TokenSource, Error> {
    let traced = trace::traced(
        agent(),
        profile.assertion_placement().clone(),
        SharedSecrets::default(),
        print_labelled,
    );
    TokenSource::with_transport(traced, profile, key)
}

/// Prints a line, without colors if standard output is not a terminal.
fn print(text: &str) -> Result<(), Failure> {
    writeln!(anstream::stdout(), "{text}").map_err(Failure::stdout)
}

fn print_title(text: &str) -> Result<(), Failure> {
    print(&format!("\n{BOLD}{text}{RESET}"))
}

fn print_labelled((label, text): (&str, String)) {
    // If this fails, so does the next title.
    let _ = print(&format!("  {DIM}{label:<9}{RESET} {text}"));
}

fn print_lifetime(token: &AccessToken) {
    let lifetime = token
        .expires_at()
        .duration_since(SystemTime::now())
        .unwrap_or_default();
    let seconds = lifetime.as_secs_f64().round();
    print_labelled((
        "token",
        format!("{GREEN}Bearer ...{RESET}, for {seconds} s"),
    ));
}

fn print_refusal(outcome: Result<AccessToken, Error>) {
    match outcome {
        Ok(_) => print_labelled(("error", "a token, which is wrong here".to_owned())),
        Err(error) => {
            print_labelled(("error", format!("{RED}{error}{RESET}")));
            error
                .hint()
                .into_iter()
                .for_each(|hint| print_labelled(("hint", hint.to_owned())));
        }
    }
}
