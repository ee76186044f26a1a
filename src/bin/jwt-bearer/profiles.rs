//! Arguments to profile and key.

use std::path::Path;
use std::time::Duration;

use jwt_bearer::{
    Audience, Endpoint, HmacKey, Placement, Profile, RsaKey, Signer, cylance,
    marketing_cloud_intelligence,
};
use serde_json::Value;

use crate::args::{self, Common, CylanceRegion, IntelligenceRegion, Server};
use crate::files::{read, read_secret};
use crate::report::{Failure, warn};

pub(crate) struct Prepared {
    pub(crate) profile: Profile,
    pub(crate) key: Box<dyn Signer>,
    pub(crate) common: Common,
}

pub(crate) fn prepare(arguments: args::Profile) -> Result<Prepared, Failure> {
    let (profile, key, common) = match arguments {
        args::Profile::MarketingCloudIntelligence(a) => intelligence(a)?,
        args::Profile::Salesforce(a) => salesforce(a)?,
        args::Profile::Cylance(a) => cylance(a)?,
        args::Profile::ClientCredentials(a) => {
            let (endpoint, audience) = server(&a.server)?;
            let profile = Profile::client_credentials(endpoint, a.client_id, audience);
            generic(profile, a.server, a.common)?
        }
        args::Profile::JwtBearer(a) => {
            let (endpoint, audience) = server(&a.server)?;
            let profile = Profile::jwt_bearer(endpoint, a.issuer, audience);
            let profile = a.subject.into_iter().fold(profile, Profile::with_subject);
            let named = |profile: Profile, id| profile.with_parameter("client_id", id);
            let profile = a.client_id.into_iter().fold(profile, named);
            generic(profile, a.server, a.common)?
        }
    };
    let profile = adjusted(profile, &common)?;
    Ok(Prepared {
        profile,
        key,
        common,
    })
}

type Parts = (Profile, Box<dyn Signer>, Common);

fn intelligence(a: args::Intelligence) -> Result<Parts, Failure> {
    let (profile, key) = match (a.credentials, a.service_account_id, a.key) {
        (Some(file), ..) => {
            let (profile, key) = marketing_cloud_intelligence::credentials(&*read(&file)?)
                .map_err(|error| Failure::about(&file, error))?;
            key.repairs()
                .iter()
                .for_each(|repair| repaired(&file, repair));
            (profile, named(key, &a.common))
        }
        (None, Some(id), Some(file)) => {
            let endpoint = match (a.discovery_endpoint, a.token_endpoint, a.region) {
                (Some(url), ..) => Endpoint::metadata(url)?,
                (_, Some(url), _) => Endpoint::token(url)?,
                (.., region) => Endpoint::token(match region {
                    None | Some(IntelligenceRegion::Us1) => marketing_cloud_intelligence::US1,
                    Some(IntelligenceRegion::Us2) => marketing_cloud_intelligence::US2,
                    Some(IntelligenceRegion::Eu1) => marketing_cloud_intelligence::EU1,
                    Some(IntelligenceRegion::Eu2) => marketing_cloud_intelligence::EU2,
                })?,
            };
            (
                Profile::marketing_cloud_intelligence(endpoint, id),
                rsa(&file, &a.common)?,
            )
        }
        _ => return Err(Failure::usage("--service-account-id and --key are needed")),
    };
    let profile = match a.query {
        true => profile.with_placement(Placement::Query),
        false => profile,
    };
    Ok((profile, key, a.common))
}

fn salesforce(a: args::Salesforce) -> Result<Parts, Failure> {
    let site = a.site_path.as_deref().unwrap_or_default().trim_matches('/');
    let login = match site {
        "" => a.login_url,
        site => format!("{}/{site}", a.login_url.trim_end_matches('/')),
    };
    let profile = Profile::salesforce(login, a.client_id, a.username)?;
    let to = |profile: Profile, aud| profile.with_audience(Audience::Fixed(aud));
    let profile = a.audience.into_iter().fold(profile, to);
    let key = rsa(&a.key, &a.common)?;
    Ok((profile, key, a.common))
}

fn cylance(a: args::Cylance) -> Result<Parts, Failure> {
    let base = a.base_url.as_deref().unwrap_or(match a.region {
        CylanceRegion::Na => cylance::NORTH_AMERICA,
        CylanceRegion::Apne1 => cylance::ASIA_PACIFIC_NORTH,
        CylanceRegion::Au => cylance::ASIA_PACIFIC_SOUTHEAST,
        CylanceRegion::Euc1 => cylance::EUROPE_CENTRAL,
        CylanceRegion::Sae1 => cylance::SOUTH_AMERICA,
        CylanceRegion::Us => cylance::US_GOVERNMENT,
    });
    let mut profile = Profile::cylance(base, a.tenant_id, a.application_id)?;
    if !a.scope.is_empty() {
        profile = profile.with_scope(a.scope.join(" "));
    }
    let key = hmac(&a.secret, &a.common)?;
    Ok((profile, key, a.common))
}

fn server(server: &Server) -> Result<(Endpoint, Audience), Failure> {
    let (endpoint, default) = match (&server.discover, &server.token_endpoint) {
        (Some(url), _) if url.contains("/.well-known/") => {
            (Endpoint::metadata(url)?, Audience::Issuer)
        }
        (Some(url), _) => (Endpoint::issuer(url)?, Audience::Issuer),
        (None, url) => (
            Endpoint::token(url.as_deref().unwrap_or_default())?,
            Audience::TokenEndpoint,
        ),
    };
    let audience = match server.audience.as_deref() {
        None => default,
        Some("none") => Audience::Omit,
        Some("issuer") => Audience::Issuer,
        Some("token-endpoint") => Audience::TokenEndpoint,
        Some(text) => Audience::Fixed(text.to_owned()),
    };
    Ok((endpoint, audience))
}

fn generic(profile: Profile, server: Server, common: Common) -> Result<Parts, Failure> {
    let profile = server.scope.into_iter().fold(profile, Profile::with_scope);
    let key = match (&server.key, &server.secret) {
        (Some(file), _) => rsa(file, &common)?,
        (_, Some(file)) => hmac(file, &common)?,
        _ => return Err(Failure::usage("--key or --secret is needed")),
    };
    Ok((profile, key, common))
}

/// What is common to all profiles.
fn adjusted(mut profile: Profile, common: &Common) -> Result<Profile, Failure> {
    for (name, value) in &common.param {
        profile = match (value.strip_prefix('@'), name.as_str()) {
            (Some(file), _) => {
                let bytes = read_secret(Path::new(file))?;
                let text = std::str::from_utf8(&bytes)
                    .map_err(|_| Failure::config(format!("{file}: this is not text")))?;
                profile.with_parameter(name.clone(), text)
            }
            // A word for the sake of whoever reads the process list.
            (None, "client_secret") => {
                return Err(Failure::usage(
                    "a secret is never an argument: write --param client_secret=@FILE",
                ));
            }
            (None, _) => profile.with_parameter(name.clone(), value),
        };
    }
    for (name, value) in &common.claim {
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value.as_str()));
        profile = profile.with_claim(name, value);
    }
    profile = common.typ.iter().fold(profile, Profile::with_typ);
    let seconds = common.lifetime.map(Duration::from_secs);
    Ok(seconds
        .into_iter()
        .fold(profile, Profile::with_assertion_lifetime))
}

fn rsa(file: &Path, common: &Common) -> Result<Box<dyn Signer>, Failure> {
    let text = read(file)?;
    let key = match &common.passphrase_file {
        Some(passphrase) => RsaKey::from_encrypted_pem(&*text, &*read_secret(passphrase)?),
        None => RsaKey::from_pem(&*text),
    };
    let key = key.map_err(|error| Failure::about(file, error))?;
    key.repairs()
        .iter()
        .for_each(|repair| repaired(file, repair));
    Ok(named(key, common))
}

fn named(key: RsaKey, common: &Common) -> Box<dyn Signer> {
    Box::new(common.key_id.iter().fold(key, RsaKey::with_key_id))
}

fn hmac(file: &Path, common: &Common) -> Result<Box<dyn Signer>, Failure> {
    let secret = read_secret(file)?;
    if (1..32).contains(&secret.len()) {
        let length = secret.len();
        warn(&format!(
            "{}: {length} bytes; RFC 7518 asks for 32 or more",
            file.display()
        ));
    }
    let key = HmacKey::new(secret.to_vec()).map_err(|error| Failure::about(file, error))?;
    Ok(Box::new(
        common.key_id.iter().fold(key, HmacKey::with_key_id),
    ))
}

fn repaired(file: &Path, repair: &str) {
    warn(&format!("{}: repaired: {repair}", file.display()));
}
