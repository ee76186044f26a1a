//! The guided tour: three systems, one server that checks every assertion, nothing to set up.

use std::time::{Duration, SystemTime};

use anstream::println;
use jwt_bearer::sandbox::Server;
use jwt_bearer::{
    AccessToken, Error, Exchange, HmacKey, Profile, RsaKey, Signer, TokenSource, Transport as _,
    marketing_cloud_intelligence, salesforce,
};
use serde_json::json;
use ureq::Agent;

use crate::report::Failure;
use crate::serve;
use crate::wire;

/// The key that RFC 7515 Appendix A.2 publishes: everybody has it, so it opens nothing.
const KEY: &str = include_str!("demo.pem");

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const PLAIN: &str = "\x1b[0m";

pub(crate) fn run() -> Result<(), Failure> {
    let server = Server::start().map_err(|error| Failure::config(error.to_string()))?;
    serve::register(&server, &RsaKey::from_pem(KEY)?);
    println!(
        "An authorization server that checks every assertion: {}",
        server.url()
    );

    title(
        "Salesforce Marketing Cloud Intelligence: discovers its token endpoint, client_credentials, RS256",
    );
    let file = json!({
        "serviceAccountId": "service-account",
        "discoveryEndpoint": server.discovery_endpoint(),
        "privateKey": KEY,
    });
    let (profile, key) = marketing_cloud_intelligence::credentials(file.to_string())?;
    let source = source(profile, key)?;
    lives(&source.token()?);

    title("The same source, asked again");
    let before = server.requests();
    source.token()?;
    let sent = server.requests().saturating_sub(before);
    row((
        "answer",
        format!("{GREEN}the same token{PLAIN}, {sent} requests sent"),
    ));

    title("Salesforce Platform: JWT bearer flow, RS256; the response says who and where");
    let key = RsaKey::from_pem(KEY)?;
    let user = Profile::salesforce(server.url(), "consumer-key", "user@example.com")?;
    let token = self::source(user.clone(), key)?.token()?;
    let id = salesforce::organization_id(&token).zip(salesforce::user_id(&token));
    let (organization, person) = id.unwrap_or_default();
    row(("who", format!("organisation {organization}, user {person}")));
    lives(&token);

    title("Cylance: HS256 over the application secret, posted as JSON");
    let application =
        Profile::cylance(server.url(), "tenant", "application")?.with_scope("device:list");
    lives(&self::source(application.clone(), HmacKey::new(serve::SECRET)?)?.token()?);

    title("The same assertion sent twice: whoever saw it cannot spend it again");
    let key = HmacKey::new(serve::SECRET)?;
    let exchange = Exchange::new(&application, &key, SystemTime::now())?;
    let send = || agent().send(exchange.request(), Duration::from_secs(5));
    let outcome = send().and_then(|_| send());
    let replay = outcome.map_err(|error| Failure::config(error.to_string()))?;
    refused(exchange.read(replay));

    title("A key that the server does not know");
    refused(
        self::source(
            application,
            HmacKey::new("another secret, of thirty-two bytes")?,
        )?
        .token(),
    );

    title("An audience that is another server's");
    let elsewhere = jwt_bearer::Audience::Fixed("https://elsewhere.example".to_owned());
    let user = user.with_audience(elsewhere);
    refused(TokenSource::with_transport(agent(), user, RsaKey::from_pem(KEY)?)?.token());
    Ok(())
}

fn agent() -> Agent {
    Agent::config_builder().proxy(None).build().into()
}

/// A source whose every request is shown.
fn source(profile: Profile, key: impl Signer + 'static) -> Result<TokenSource, Error> {
    TokenSource::with_transport(wire::observed(agent(), row), profile, key)
}

fn title(text: &str) {
    println!("\n{BOLD}{text}{PLAIN}");
}

fn row((label, text): (&str, String)) {
    println!("  {DIM}{label:<9}{PLAIN} {text}");
}

fn lives(token: &AccessToken) {
    let life = token
        .expires_at()
        .duration_since(SystemTime::now())
        .unwrap_or_default();
    let seconds = life.as_secs_f64().round();
    row((
        "token",
        format!("{GREEN}Bearer ...{PLAIN}, for {seconds} s"),
    ));
}

fn refused(outcome: Result<AccessToken, Error>) {
    match outcome {
        Ok(_) => row(("answer", "a token, which should not be".to_owned())),
        Err(error) => {
            row(("answer", format!("{RED}{error}{PLAIN}")));
            error
                .hint()
                .into_iter()
                .for_each(|hint| row(("hint", hint.to_owned())));
        }
    }
}
