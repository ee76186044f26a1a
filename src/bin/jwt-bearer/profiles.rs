//! From arguments to a profile and a signer.

use std::path::Path;

use jwt_bearer::provider::{InputValue, Inputs, KeyKind, Provider, provider_of_credentials};
use jwt_bearer::{
    Algorithm, Certificate, HmacKey, Key, Profile, Setting, SettingValue, Signer as _,
    is_public_parameter,
};
use zeroize::Zeroizing;

use crate::chosen::Chosen;
use crate::failure::{Failure, Part};
use crate::files::{read, read_encoded_secret, read_secret};
use crate::key_source::{read_passphrase, unusable};
use crate::messages::print_message;
use crate::names::is_name;
use crate::options::{CommonOptions, SecretEncoding};
use crate::secrets::SharedSecrets;
use crate::{mistakes, pairs, refused_input};

/// Stands for the endpoint of an assertion that is not sent (RFC 2606 §2).
const NO_ENDPOINT: &str = "https://not-sent.invalid/token";

/// What the arguments of a provider become.
pub(crate) struct ProfileAndSigner {
    pub(crate) profile: Profile,
    pub(crate) signer: Box<Key>,
    pub(crate) certificate: Option<Certificate>,
    /// Bytes of a shared secret.
    pub(crate) secret_length: Option<usize>,
    /// What `-v` must not show.
    pub(crate) secrets: SharedSecrets,
    pub(crate) common: CommonOptions,
}

/// A key, and where it came from.
struct KeyOfFile<'a> {
    key: Key,
    file: &'a Path,
    certificate: Option<Certificate>,
    /// Bytes of a shared secret.
    secret_length: Option<usize>,
}

/// Reads the files that the arguments name, and builds profile and signer.
///
/// # Errors
/// If a file cannot be read or holds no usable key, or the profile cannot work.
pub(crate) fn build(chosen: Chosen) -> Result<ProfileAndSigner, Failure> {
    let file = secret_file(&chosen);
    build_with(chosen, &[])?.checked(&file)
}

/// Builds a profile whose assertion is not sent, so that it needs no endpoint if the audience is given.
///
/// # Errors
/// Those of [`build`].
pub(crate) fn build_unsent(chosen: Chosen) -> Result<ProfileAndSigner, Failure> {
    let file = secret_file(&chosen);
    let built = match chosen.needs_endpoint() {
        true => build_with(chosen, &[])?,
        false => build_with(chosen, &[("token-endpoint", NO_ENDPOINT)])?,
    };
    built.checked(&file)
}

fn secret_file(chosen: &Chosen) -> String {
    let file = chosen.file("secret").unwrap_or(Path::new("-"));
    file.display().to_string()
}

/// Returns the profile of arguments whose key cannot be used, for the checks that are still possible.
///
/// It is `None` if the profile is in the same file.
pub(crate) fn without_key(chosen: &Chosen) -> Option<Result<Profile, Failure>> {
    let provider = chosen
        .provider
        .filter(|_| chosen.credential_file().is_none())?;
    Some(profile_without_key(chosen, provider))
}

fn profile_without_key(chosen: &Chosen, provider: &Provider) -> Result<Profile, Failure> {
    let inputs = inputs(chosen)?;
    let values: Vec<_> = inputs.iter().map(|(n, t)| (*n, t.as_str())).collect();
    let certificate = certificate(chosen, &[]).ok().flatten();
    let inputs = Inputs {
        values: &values,
        certificate: certificate.as_ref(),
    };
    let profile = refused_input::profile(provider, inputs)?;
    with_settings(profile, chosen, &SharedSecrets::default())
}

/// Returns only the private key, or `None` if it is not in a separate file.
pub(crate) fn key_alone(chosen: &Chosen) -> Option<Result<Key, Failure>> {
    let file = chosen.file("key")?;
    let read = || read_key(file, &read("--key", file)?, &chosen.common);
    Some(read())
}

impl ProfileAndSigner {
    /// Returns what to say about a shared secret that is shorter than its hash (RFC 7518 §3.2).
    pub(crate) fn short_secret(&self) -> Option<String> {
        let wanted = match self.signer.algorithm() {
            Algorithm::Hs384 => 48,
            Algorithm::Hs512 => 64,
            _ => 32,
        };
        let length = self.secret_length.filter(|length| *length < wanted)?;
        Some(format!(
            "{length} bytes; RFC 7518 asks for {wanted} or more"
        ))
    }

    /// Warns about a short secret, and refuses the certificate of another key.
    fn checked(self, secret_file: &str) -> Result<Self, Failure> {
        if let Some(words) = self.short_secret() {
            print_message(&format!("{secret_file}: {words}"));
        }
        self.check_certificate().map(|()| self)
    }

    /// # Errors
    /// If the certificate is of another key.
    pub(crate) fn check_certificate(&self) -> Result<(), Failure> {
        match &self.certificate {
            Some(certificate) if !certificate.is_of(&*self.signer) => {
                Err(Failure::config("the certificate is of another key"))
            }
            _ => Ok(()),
        }
    }
}

/// Builds as [`build`] does, but accepts a certificate of any key.
pub(crate) fn build_with_any_certificate(chosen: Chosen) -> Result<ProfileAndSigner, Failure> {
    build_with(chosen, &[])
}

/// Builds from the arguments and from `more` inputs, and accepts a certificate of any key.
fn build_with(chosen: Chosen, more: &[(&str, &str)]) -> Result<ProfileAndSigner, Failure> {
    let secrets = SharedSecrets::default();
    let (profile, key) = match (chosen.provider, chosen.credential_file()) {
        (provider, Some(file)) => from_credential_file(&chosen, provider, file)?,
        (Some(provider), None) => from_key(&chosen, provider, more, &secrets)?,
        (None, None) => return Err(Failure::usage("a credential file is needed")),
    };
    let profile = with_settings(profile, &chosen, &secrets)?;
    let (certificate, secret_length) = (key.certificate.clone(), key.secret_length);
    let signer = signer(key, &profile, &chosen.common).map_err(|f| f.in_part(Part::Key))?;
    Ok(ProfileAndSigner {
        profile,
        signer,
        certificate,
        secret_length,
        secrets,
        common: chosen.common,
    })
}

/// Returns the texts of the inputs. Secret ones are read from their files.
fn inputs(chosen: &Chosen) -> Result<Vec<(&'static str, Zeroizing<String>)>, Failure> {
    let inputs = chosen.inputs().map(|(input, text)| match input.value {
        InputValue::Secret(_) => {
            let option = format!("--{}", input.name);
            Ok((input.name, secret_text(&option, Path::new(&text))?))
        }
        _ => Ok((input.name, Zeroizing::new(text))),
    });
    inputs.collect()
}

fn from_credential_file<'a>(
    chosen: &Chosen,
    provider: Option<&'static Provider>,
    file: &'a Path,
) -> Result<(Profile, KeyOfFile<'a>), Failure> {
    let bytes = read("--credentials", file).map_err(|f| f.in_part(Part::File))?;
    let inputs = inputs(chosen)?;
    let values: Vec<_> = inputs.iter().map(|(n, t)| (*n, t.as_str())).collect();
    let provider = provider.map_or_else(|| provider_of_credentials(&*bytes), Ok);
    let parts = provider.and_then(|provider| {
        provider.credentials(
            &*bytes,
            Inputs {
                values: &values,
                certificate: None,
            },
        )
    });
    let (profile, key) = parts.map_err(|error| {
        let failure = Failure::in_file(file, error).in_part(Part::Key);
        let failure = failure.with_origin("credentials");
        match provider_of_credentials(&*bytes) {
            Ok(other) if chosen.provider.is_some() => {
                failure.with_hint(format!("the file is of the provider {}", other.name))
            }
            _ => failure,
        }
    })?;
    let key = KeyOfFile {
        key,
        file,
        certificate: None,
        secret_length: None,
    };
    Ok((profile, key))
}

fn from_key<'a>(
    chosen: &'a Chosen,
    provider: &Provider,
    more: &[(&str, &str)],
    secrets: &SharedSecrets,
) -> Result<(Profile, KeyOfFile<'a>), Failure> {
    let inputs = inputs(chosen)?;
    let values = inputs.iter().map(|(n, t)| (*n, t.as_str()));
    let values: Vec<_> = values.chain(more.iter().copied()).collect();
    let profile = |certificate: Option<&Certificate>| {
        let inputs = Inputs {
            values: &values,
            certificate,
        };
        refused_input::profile(provider, inputs)
    };
    match (chosen.file("key"), chosen.file("secret")) {
        (Some(file), _) => {
            let bytes = read("--key", file).map_err(|f| f.in_part(Part::File))?;
            let checked = mistakes::check_key_file(provider, file, &bytes);
            checked.map_err(|failure| failure.with_origin("key"))?;
            let certificate = certificate(chosen, &bytes);
            let certificate = certificate.map_err(|f| f.in_part(Part::Certificate))?;
            let key = read_key(file, &bytes, &chosen.common).map_err(|f| f.in_part(Part::Key))?;
            let profile = profile(certificate.as_ref())?;
            let key = KeyOfFile {
                key,
                file,
                certificate,
                secret_length: None,
            };
            Ok((profile, key))
        }
        (None, Some(file)) => {
            let profile = profile(None)?;
            let secret = read_encoded_secret("--secret", file, chosen.secret_encoding())
                .map_err(|f| f.in_part(Part::File))?;
            let advice = match provider.key {
                KeyKind::Any => "give a private key with --key",
                _ => "this provider signs with a shared secret",
            };
            let checked = mistakes::check_secret_file(file, &secret, advice);
            checked.map_err(|failure| failure.with_origin("secret"))?;
            if chosen.common.verbose {
                secrets.add_key(&secret);
            }
            let own = provider
                .read_secret
                .filter(|_| chosen.secret_encoding() == SecretEncoding::Text);
            let (key, secret_length) = match own {
                Some(read) => (read(&secret), None),
                None => (HmacKey::new(secret.to_vec()), Some(secret.len())),
            };
            let key = KeyOfFile {
                key: key
                    .map(Key::Hmac)
                    .map_err(|error| Failure::in_file(file, error).in_part(Part::Key))?,
                file,
                certificate: None,
                secret_length,
            };
            Ok((profile, key))
        }
        (None, None) => Err(Failure::usage("--key or --secret is needed")),
    }
}

/// Returns the certificate of `--certificate`, else the one in the key's file.
fn certificate(chosen: &Chosen, key: &[u8]) -> Result<Option<Certificate>, Failure> {
    let Some(file) = chosen.file("certificate") else {
        return Ok(Certificate::read(key).ok());
    };
    let certificate = Certificate::read(&*read("--certificate", file)?);
    let certificate =
        certificate.map_err(|error| Failure::in_file(file, error).with_origin("certificate"))?;
    Ok(Some(certificate))
}

/// Reads a private key of any kind.
fn read_key(file: &Path, bytes: &[u8], common: &CommonOptions) -> Result<Key, Failure> {
    let passphrase = read_passphrase(common.passphrase_file.as_deref())?;
    let passphrase = passphrase.as_ref().map(|text| text.as_slice());
    let key = Key::read_preferring_ring(bytes, passphrase, common.key_id.as_deref());
    let key = key.map_err(|error| unusable(file, error).with_origin("key"))?;
    // Only the vendor can change what a credential file looks like.
    if mistakes::provider_of_credential_file(bytes).is_none() {
        warn_of_repairs(file, key.repairs());
    }
    Ok(key)
}

/// Sets algorithm and key ID: those of the arguments, else those that the profile and the file of the key name.
fn signer(
    key: KeyOfFile<'_>,
    profile: &Profile,
    common: &CommonOptions,
) -> Result<Box<Key>, Failure> {
    let KeyOfFile { key, file, .. } = key;
    let key = match common.alg {
        Some(algorithm) => key.with_algorithm(algorithm),
        None => key.with_first_of(profile.algorithms()),
    };
    let key = key.map_err(|error| Failure::in_file(file, error).with_origin("alg"))?;
    Ok(Box::new(common.key_id.iter().fold(key, Key::with_key_id)))
}

/// Applies all settings.
///
/// # Errors
/// If a setting is refused, or is the first after which the profile has a value that cannot be right.
fn with_settings(
    mut profile: Profile,
    chosen: &Chosen,
    secrets: &SharedSecrets,
) -> Result<Profile, Failure> {
    let mut suspect = None;
    for setting in chosen.settings() {
        profile = with_setting(profile, setting, secrets)?;
        if suspect.is_none() && profile.check_values().is_err() {
            suspect = Some(setting);
        }
    }
    match (profile.check_values(), suspect) {
        (Err(error), Some((setting, text))) => {
            Err(Failure::from(error).with_value(setting.name, text))
        }
        _ => Ok(profile),
    }
}

fn with_setting(
    profile: Profile,
    (setting, text): (&Setting, &str),
    secrets: &SharedSecrets,
) -> Result<Profile, Failure> {
    let changed = changed(profile, setting, text, secrets);
    changed.map_err(|failure| failure.with_value(setting.name, text))
}

fn changed(
    profile: Profile,
    setting: &Setting,
    text: &str,
    secrets: &SharedSecrets,
) -> Result<Profile, Failure> {
    let changed = match setting.value {
        SettingValue::Pair {
            may_be_secret: true,
            ..
        } => {
            let text = pair_text(setting, text)?;
            let (name, value) = text.split_once('=').unwrap_or_default();
            if !is_public_parameter(name) {
                secrets.add(value);
            }
            profile.with_setting(setting.name, &text)
        }
        _ => profile.with_setting(setting.name, text),
    };
    changed.map_err(|error| match setting.value {
        SettingValue::Pair { .. } => Failure::usage(format!("--{error}")),
        _ => error.into(),
    })
}

/// Returns the text of `NAME=VALUE`: `VALUE` itself, what follows the first `@` of `@@`, or the content of the file
/// that follows a single `@`.
fn pair_text(setting: &Setting, text: &str) -> Result<Zeroizing<String>, Failure> {
    let (name, value) = text.split_once('=').unwrap_or_default();
    let option = option_name(&format!("--{}", setting.name), name);
    if let Some(value) = value.strip_prefix(pairs::NOT_AN_ARGUMENT) {
        return Ok(Zeroizing::new([name, "=", value].concat()));
    }
    let literal = match value.strip_prefix('@') {
        Some(rest) if rest.starts_with('@') => rest,
        Some(file) => {
            let value = secret_text(&option, Path::new(file))?;
            return Ok(Zeroizing::new([name, "=", &value].concat()));
        }
        None => value,
    };
    match pairs::is_secret(setting.name, name, literal) {
        false => Ok(Zeroizing::new([name, "=", literal].concat())),
        // Other users of this machine can see the arguments in the process list.
        true => Err(Failure::usage(format!(
            "a secret is never an argument: write {option}=@FILE"
        ))),
    }
}

fn secret_text(option: &str, file: &Path) -> Result<Zeroizing<String>, Failure> {
    let bytes = read_secret(option, file)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Failure::config(format!("{}: this is not text", file.display())))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Returns an option that takes a name and a value, as errors show it.
///
/// A secret given in place of the name must not appear on standard error.
fn option_name(option: &str, name: &str) -> String {
    match name.split('/').all(|part| part.is_empty() || is_name(part)) {
        true => format!("{option} {name}"),
        false => format!("{option} NAME"),
    }
}

fn warn_of_repairs(file: &Path, repairs: &[&str]) {
    for repair in repairs {
        print_message(&format!("{}: repaired: {repair}", file.display()));
    }
}
