//! From arguments to a profile and a signer.

use std::path::Path;
use std::time::Duration;

use jwt_bearer::{
    Algorithm, Audience, Endpoint, HmacKey, Key, Placement, Profile, Signer, cylance,
    marketing_cloud_intelligence,
};
use serde_core::de::IgnoredAny;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::args::{
    self, CommonOptions, CylanceRegion, IntelligenceRegion, SecretEncoding, ServerOptions,
};
use crate::files::{read, read_encoded_secret, read_secret};
use crate::output::{Failure, print_message};
use crate::trace::{SharedSecrets, is_public_parameter};
use crate::usage::is_name;

/// What the arguments of a profile become.
pub(crate) struct ProfileAndSigner {
    pub(crate) profile: Profile,
    pub(crate) signer: Box<dyn Signer>,
    /// What `-v` must not show.
    pub(crate) secrets: SharedSecrets,
    pub(crate) common: CommonOptions,
}

/// Reads the files that the arguments name, and builds profile and signer.
///
/// # Errors
/// Where a file cannot be read or holds no usable key, and where the profile cannot work.
pub(crate) fn build(arguments: args::Profile) -> Result<ProfileAndSigner, Failure> {
    let mut built = match arguments {
        args::Profile::MarketingCloudIntelligence(a) => intelligence(a)?,
        args::Profile::Salesforce(a) => salesforce(a)?,
        args::Profile::Cylance(a) => cylance(a)?,
        args::Profile::ClientCredentials(a) => {
            let (endpoint, audience) = endpoint_and_audience(&a.server)?;
            let profile = Profile::client_credentials(endpoint, a.client_id, audience);
            any_server(profile, a.server, a.common)?
        }
        args::Profile::JwtBearer(a) => {
            let (endpoint, audience) = endpoint_and_audience(&a.server)?;
            let mut profile = Profile::jwt_bearer(endpoint, a.issuer, audience);
            if let Some(subject) = a.subject {
                profile = profile.with_subject(subject);
            }
            if let Some(id) = a.client_id {
                profile = profile.with_parameter("client_id", id);
            }
            any_server(profile, a.server, a.common)?
        }
    };
    built.profile = apply_common_options(built.profile, &built.common)?;
    Ok(built)
}

fn intelligence(a: args::MarketingCloudIntelligence) -> Result<ProfileAndSigner, Failure> {
    let (profile, signer) = match (a.credentials, a.service_account_id, a.key) {
        (Some(file), ..) => {
            let (profile, key) =
                marketing_cloud_intelligence::credentials(&*read("--credentials", &file)?)
                    .map_err(|error| Failure::in_file(&file, error))?;
            warn_of_repairs(&file, key.repairs());
            let key = with_algorithm(key.into(), &profile, a.common.alg);
            let key = key.map_err(|error| Failure::in_file(&file, error))?;
            let key = a.common.key_id.iter().fold(key, Key::with_key_id);
            let signer: Box<dyn Signer> = Box::new(key);
            (profile, signer)
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
            let profile = Profile::marketing_cloud_intelligence(endpoint, id);
            let key = read_key(&file, &profile, &a.common)?;
            (profile, key)
        }
        _ => return Err(Failure::usage("--service-account-id and --key are needed")),
    };
    let profile = match a.query {
        true => profile.with_placement(Placement::QUERY),
        false => profile,
    };
    Ok(ProfileAndSigner {
        profile,
        signer,
        secrets: SharedSecrets::default(),
        common: a.common,
    })
}

fn salesforce(a: args::Salesforce) -> Result<ProfileAndSigner, Failure> {
    let site = a.site_path.as_deref().unwrap_or_default().trim_matches('/');
    let login_url = match site {
        "" => a.login_url,
        site => format!("{}/{site}", a.login_url.trim_end_matches('/')),
    };
    let mut profile = Profile::salesforce(login_url, a.client_id, a.username)?;
    if let Some(audience) = a.audience {
        profile = profile.with_audience(Audience::Fixed(audience));
    }
    Ok(ProfileAndSigner {
        signer: read_key(&a.key, &profile, &a.common)?,
        profile,
        secrets: SharedSecrets::default(),
        common: a.common,
    })
}

fn cylance(a: args::Cylance) -> Result<ProfileAndSigner, Failure> {
    let base_url = a.base_url.as_deref().unwrap_or(match a.region {
        CylanceRegion::Na => cylance::NORTH_AMERICA,
        CylanceRegion::Apne1 => cylance::ASIA_PACIFIC_NORTH,
        CylanceRegion::Au => cylance::ASIA_PACIFIC_SOUTHEAST,
        CylanceRegion::Euc1 => cylance::EUROPE_CENTRAL,
        CylanceRegion::Sae1 => cylance::SOUTH_AMERICA,
        CylanceRegion::Us => cylance::US_GOVERNMENT,
    });
    let mut profile = Profile::cylance(base_url, a.tenant_id, a.application_id)?;
    if !a.scope.is_empty() {
        profile = profile.with_scope(a.scope.join(" "));
    }
    let secrets = SharedSecrets::default();
    Ok(ProfileAndSigner {
        signer: read_hmac_key(&a.secret, a.secret_encoding, &profile, &a.common, &secrets)?,
        profile,
        secrets,
        common: a.common,
    })
}

fn endpoint_and_audience(server: &ServerOptions) -> Result<(Endpoint, Audience), Failure> {
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

fn any_server(
    profile: Profile,
    server: ServerOptions,
    common: CommonOptions,
) -> Result<ProfileAndSigner, Failure> {
    let secrets = SharedSecrets::default();
    let signer = match (&server.key, &server.secret) {
        (Some(file), _) => read_key(file, &profile, &common)?,
        (_, Some(file)) => {
            read_hmac_key(file, server.secret_encoding, &profile, &common, &secrets)?
        }
        _ => return Err(Failure::usage("--key or --secret is needed")),
    };
    Ok(ProfileAndSigner {
        profile: server.scope.into_iter().fold(profile, Profile::with_scope),
        signer,
        secrets,
        common,
    })
}

fn apply_common_options(mut profile: Profile, common: &CommonOptions) -> Result<Profile, Failure> {
    for (name, value) in &common.param {
        profile = profile.with_parameter(name.clone(), parameter_value(name, value)?.as_str());
    }
    for (name, value) in &common.claim {
        profile = profile.with_claim(name, claim_value(name, value)?);
    }
    profile = common.typ.iter().fold(profile, Profile::with_typ);
    if let Some(seconds) = common.lifetime {
        profile = profile.with_assertion_lifetime(Duration::from_secs(seconds));
    }
    Ok(profile)
}

/// Returns the value of `--claim NAME=VALUE`: JSON, or a text that cannot be taken for JSON.
fn claim_value(name: &str, text: &str) -> Result<Value, Failure> {
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    // Ignored JSON has no range: a number that is only too large is one by its digits.
    let is_number = serde_json::from_str::<IgnoredAny>(text).is_ok();
    if !is_number && !text.trim_start().starts_with(['{', '[', '"']) {
        return Ok(Value::from(text));
    }
    let option = option_name("--claim", name);
    Err(Failure::usage(match is_number {
        true => format!("{option}: the number is too large: write a text as \"...\""),
        false => {
            format!("{option}: the value begins as JSON does and is none: write a text as \"...\"")
        }
    }))
}

/// Returns an option of a name and a value, as errors show it.
///
/// Whoever put a secret in place of the name must not find it on standard error.
fn option_name(option: &str, name: &str) -> String {
    match is_name(name) {
        true => format!("{option} {name}"),
        false => format!("{option} NAME"),
    }
}

/// Returns the value of `--param NAME=VALUE`: `VALUE` itself, what follows the first `@` of `@@`, or the content of
/// the file that follows a single `@`.
fn parameter_value(name: &str, value: &str) -> Result<Zeroizing<String>, Failure> {
    let option = option_name("--param", name);
    let literal = match value.strip_prefix('@') {
        Some(rest) if rest.starts_with('@') => rest,
        Some(file) => {
            let bytes = read_secret(&option, Path::new(file))?;
            let text = std::str::from_utf8(&bytes)
                .map_err(|_| Failure::config(format!("{file}: this is not text")))?;
            return Ok(Zeroizing::new(text.to_owned()));
        }
        None => value,
    };
    match is_public_parameter(name) {
        true => Ok(Zeroizing::new(literal.to_owned())),
        // Other users of this machine can see the arguments in the process list.
        false => Err(Failure::usage(format!(
            "a secret is never an argument: write {option}=@FILE"
        ))),
    }
}

/// Reads a private key of any kind that the profile's server accepts.
fn read_key(
    file: &Path,
    profile: &Profile,
    common: &CommonOptions,
) -> Result<Box<dyn Signer>, Failure> {
    let bytes = read("--key", file)?;
    let passphrase = match &common.passphrase_file {
        Some(file) => Some(read_secret("--passphrase-file", file)?),
        None => None,
    };
    let key = Key::read_preferring_ring(&bytes, passphrase.as_ref().map(|text| text.as_slice()));
    let key = key.map_err(|error| Failure::in_file(file, error))?;
    warn_of_repairs(file, key.repairs());
    let key = common.key_id.iter().fold(key, Key::with_key_id);
    let key = with_algorithm(key, profile, common.alg);
    Ok(Box::new(
        key.map_err(|error| Failure::in_file(file, error))?,
    ))
}

/// Sets the algorithm that the arguments name, or the first one of the server's that fits the key.
fn with_algorithm(
    key: Key,
    profile: &Profile,
    asked: Option<Algorithm>,
) -> Result<Key, jwt_bearer::Error> {
    let accepted = profile.algorithms();
    if asked.is_none() && accepted.contains(&key.algorithm()) {
        return Ok(key); // it may come from a JWK
    }
    let fitting = accepted.iter().find(|name| key.algorithms().contains(name));
    match asked.or(fitting.copied()) {
        Some(algorithm) => key.with_algorithm(algorithm),
        None => Ok(key),
    }
}

fn read_hmac_key(
    file: &Path,
    encoding: SecretEncoding,
    profile: &Profile,
    common: &CommonOptions,
    secrets: &SharedSecrets,
) -> Result<Box<dyn Signer>, Failure> {
    let secret = read_encoded_secret("--secret", file, encoding)?;
    if common.verbose {
        secrets.add_key(&secret);
    }
    let key = HmacKey::new(secret.to_vec()).map(Key::Hmac);
    let key = key.and_then(|key| with_algorithm(key, profile, common.alg));
    let key = key.map_err(|error| Failure::in_file(file, error))?;
    let wanted = match key.algorithm() {
        Algorithm::Hs384 => 48,
        Algorithm::Hs512 => 64,
        _ => 32,
    };
    if secret.len() < wanted {
        let length = secret.len();
        print_message(&format!(
            "{}: {length} bytes; RFC 7518 asks for {wanted} or more",
            file.display()
        ));
    }
    Ok(Box::new(common.key_id.iter().fold(key, Key::with_key_id)))
}

fn warn_of_repairs(file: &Path, repairs: &[&str]) {
    for repair in repairs {
        print_message(&format!("{}: repaired: {repair}", file.display()));
    }
}
