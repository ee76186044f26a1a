//! The files of the key and of its certificate, and what is in them.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::{Certificate, Key, Profile, Signer as _};
use serde_json::Value;

use super::report::{Report, Step};
use crate::certificate::Facts;
use crate::chosen::Chosen;
use crate::failure::{Failure, Part};
use crate::files;
use crate::profiles::{self, ProfileAndSigner};

const LONGER_SECRET: &str =
    "make a longer secret where the server lets you choose it: openssl rand -base64 48";
/// The providers whose servers refuse a certificate that is not valid now. Entra's error for it is AADSTS1000502;
/// others, such as Salesforce, take the public key and never look at the dates.
const CHECKED_BY: &[&str] = &["entra"];
const MAY_BE_REFUSED: &str =
    "some servers refuse it, and others take the public key alone: if the exchange fails, ";
/// A certificate with fewer days left should be renewed.
const RENEWAL_DAYS: i64 = 30;

/// What the files and the arguments become.
pub(super) struct Material {
    /// `None` if something cannot be used.
    pub(super) built: Option<ProfileAndSigner>,
    /// The profile, with or without a key, or what is wrong with it; `None` if it is in a file that cannot be used.
    pub(super) profile: Option<Result<Profile, Failure>>,
}

/// Checks file, key and certificate.
///
/// # Errors
/// If the arguments are wrong, or standard output is closed.
pub(super) fn check(report: &mut Report, chosen: Chosen) -> Result<Material, Failure> {
    let built = profiles::build_with_any_certificate(chosen.clone());
    let failure = match built {
        Err(failure) if failure.is_usage() => return Err(failure),
        Err(failure) => failure,
        Ok(built) => {
            check_files(report, &chosen, None)?;
            let step = key(&chosen, &built.signer, built.secret_length);
            report.add(match built.short_secret() {
                Some(words) => step.warn(words, LONGER_SECRET),
                None => step,
            })?;
            let is_of_key = match &built.certificate {
                Some(found) => {
                    let is_checked = is_checked(&chosen);
                    !report.add(certificate(found, built.check_certificate(), is_checked))?
                }
                None => !report.add(Step::skip("certificate", "none is given"))?,
            };
            let profile = Some(Ok(built.profile.clone()));
            let is_usable = is_of_key || built.check_certificate().is_ok(); // an expired certificate may still be accepted
            return Ok(Material {
                built: Some(built).filter(|_| is_usable),
                profile,
            });
        }
    };
    let part = failure.part();
    match part {
        Some(Part::File) => {
            check_files(report, &chosen, Some(failure))?;
            report.skip(&["key", "certificate"], "the file cannot be read")?;
        }
        Some(Part::Key) => {
            check_files(report, &chosen, None)?;
            report.add(unusable_key(failure))?;
            report.skip(&["certificate"], "there is no key to compare it with")?;
        }
        Some(Part::Certificate) => {
            check_files(report, &chosen, None)?;
            check_key_alone(report, &chosen)?;
            report.add(Step::fail("certificate", failure))?;
        }
        None => {
            check_files(report, &chosen, None)?;
            check_key_alone(report, &chosen)?;
            report.skip(&["certificate"], "the arguments are wrong: see below")?;
            return Ok(Material {
                built: None,
                profile: Some(Err(failure)),
            });
        }
    }
    let profile = match profiles::without_key(&chosen) {
        // Some providers need the certificate.
        Some(Err(_)) if part == Some(Part::Certificate) => None,
        profile => profile,
    };
    Ok(Material {
        built: None,
        profile,
    })
}

/// Checks who else can read the files, and prints the failure to read the first of them.
fn check_files(
    report: &mut Report,
    chosen: &Chosen,
    failure: Option<Failure>,
) -> Result<(), Failure> {
    let main = chosen.file("key").or_else(|| chosen.file("secret"));
    let main = main.or_else(|| chosen.credential_file());
    if let Some(failure) = failure {
        let command = if cfg!(windows) { "icacls" } else { "ls -l" };
        let failure = failure.with_hint(format!(
            "check the path, and who may read the file: {command} FILE"
        ));
        return report.add(Step::fail("file", failure)).map(drop);
    }
    if let Some(file) = main {
        report.add(file_step(file))?;
    }
    if let Some(file) = chosen.common.passphrase_file.as_deref() {
        report.add(file_step(file))?;
    }
    Ok(())
}

fn file_step(file: &Path) -> Step {
    if file == Path::new("-") {
        return Step::ok("file", "standard input");
    }
    let name = file.display().to_string();
    let step = Step::ok("file", name.clone()).with_fact("file", name);
    #[cfg(unix)]
    if let Ok(metadata) = fs::metadata(file) {
        use std::os::unix::fs::PermissionsExt as _;

        use crate::shell;

        let mode = metadata.permissions().mode() & 0o777;
        let step = step.with_fact("mode", format!("{mode:04o}"));
        // Nobody else can read a pipe.
        return match mode & 0o077 {
            0 => step,
            _ if !metadata.is_file() => step,
            _ => step.warn(
                format!("other users of this machine have access (mode {mode:04o})"),
                format!("chmod 600 {}", shell::word(&file.display().to_string())),
            ),
        };
    }
    step
}

/// Shows the key if other arguments are wrong.
fn check_key_alone(report: &mut Report, chosen: &Chosen) -> Result<(), Failure> {
    let step = match profiles::key_alone(chosen) {
        Some(Ok(read)) => key(chosen, &read, None),
        Some(Err(failure)) if !failure.is_usage() => unusable_key(failure),
        _ => Step::skip("key", "it is not read again"),
    };
    report.add(step).map(drop)
}

fn unusable_key(failure: Failure) -> Step {
    let step = Step::fail("key", failure);
    match (step.has_hints(), step.detail().ends_with("passphrase is wrong")) {
        (true, _) => step,
        (false, true) => step.with_hint(
            "another passphrase opens the file: openssl pkey -in FILE -noout asks for it, and says nothing if it is right",
        ),
        (false, false) => {
            step.with_hint("see what the file holds: openssl pkey -in FILE -noout -text_pub")
        }
    }
}

fn key(chosen: &Chosen, key: &Key, secret_length: Option<usize>) -> Step {
    let jwk = key.public_jwk();
    let jwk: Value = jwk
        .and_then(|jwk| serde_json::from_str(&jwk).ok())
        .unwrap_or_default();
    let member = |name: &str| jwk.get(name).and_then(Value::as_str).unwrap_or_default();
    let algorithm = key.algorithm().name();
    let names: Vec<_> = key.algorithms().iter().map(|name| name.name()).collect();
    let bits = (member("kty") == "RSA").then(|| bits(member("n")));
    let bits = bits.or(secret_length.map(|bytes| bytes.saturating_mul(8)));
    let what = match (member("kty"), bits) {
        ("RSA", Some(bits)) => format!("RSA key of {bits} bits"),
        ("EC", _) => format!("EC key on {}", member("crv")),
        ("OKP", _) => format!("{} key", member("crv")),
        _ => match secret_length {
            Some(bytes) => format!("shared secret of {bytes} bytes"),
            None => "shared secret".to_owned(),
        },
    };
    let others: Vec<_> = names.iter().filter(|name| **name != algorithm).collect();
    let others = match others.as_slice() {
        [] => String::new(),
        others => {
            let others: Vec<_> = others.iter().map(|name| **name).collect();
            format!(" (--alg: {})", others.join(", "))
        }
    };
    let passphrase = passphrase(chosen);
    let step = Step::ok("key", format!("{what}, signs {algorithm}{others}"))
        .with_fact(
            "kind",
            if jwk.is_null() {
                "secret"
            } else {
                member("kty")
            },
        )
        .with_fact("algorithm", algorithm)
        .with_fact("algorithms", names);
    let step = match bits {
        Some(bits) => step.with_fact("bits", bits),
        None => step,
    };
    let step = match member("crv") {
        "" => step,
        curve => step.with_fact("curve", curve),
    };
    let step = match key.key_id() {
        Some(kid) => step.with_line("kid", kid).with_fact("kid", kid),
        None => step,
    };
    let step = match key.thumbprint() {
        Some(thumbprint) => step
            .with_line("thumbprint", format!("{thumbprint} (RFC 7638)"))
            .with_fact("thumbprint", thumbprint),
        None => step,
    };
    let step = match passphrase {
        Some(true) => step
            .with_line("passphrase", "right")
            .with_fact("passphrase", "right"),
        Some(false) => step.with_fact("passphrase", "not needed").warn(
            "the passphrase is not needed: the key is not encrypted",
            "leave --passphrase-file out, or encrypt the key: openssl pkcs8 -topk8 -in FILE -out NEW",
        ),
        None => step,
    };
    key.repairs()
        .iter()
        .fold(step, |step, repair| step.with_line("repaired", *repair))
}

/// Returns whether the given passphrase is needed, if that is known. The passphrase is right, since the key was read.
fn passphrase(chosen: &Chosen) -> Option<bool> {
    chosen.common.passphrase_file.as_ref()?;
    let file = chosen
        .file("key")
        .filter(|file| fs::metadata(file).is_ok_and(|m| m.is_file()))?;
    let bytes = files::read("--key", file).ok()?;
    Some(Key::read(&*bytes).is_err())
}

/// Returns the bits of a number in base64url.
fn bits(number: &str) -> usize {
    let bytes = URL_SAFE_NO_PAD.decode(number).unwrap_or_default();
    let first = bytes.first().map_or(0, |first| first.leading_zeros());
    let zeros = usize::try_from(first).unwrap_or_default();
    bytes.len().saturating_mul(8).saturating_sub(zeros)
}

/// Returns whether the server is known to refuse a certificate that is not valid now.
fn is_checked(chosen: &Chosen) -> bool {
    let provider = chosen.provider;
    provider.is_some_and(|provider| CHECKED_BY.contains(&provider.name))
}

fn certificate(certificate: &Certificate, of_key: Result<(), Failure>, is_checked: bool) -> Step {
    let (x5t, x5t_s256) = (certificate.x5t(), certificate.x5t_s256());
    let facts = Facts::of(certificate);
    let step = match &facts {
        Some(facts) => Step::ok("certificate", format!("valid from {}", facts.validity()))
            .with_line("subject", facts.subject.clone())
            .with_line("issuer", facts.issuer.clone())
            .with_fact("subject", facts.subject.clone())
            .with_fact("issuer", facts.issuer.clone())
            .with_fact("days_left", facts.days_left()),
        None => Step::ok("certificate", "its names and times cannot be read"),
    };
    let step = step
        .with_line("x5t", x5t.clone())
        .with_line("x5t#S256", x5t_s256.clone())
        .with_fact("x5t", x5t)
        .with_fact("x5t#S256", x5t_s256);
    let times = facts.as_ref().map_or(Ok(()), Facts::check_times);
    match (of_key, times, facts) {
        (Err(failure), ..) => step.with_failure(failure.with_hint(
            "give the certificate that was made with this key, or the key of this certificate",
        )),
        (_, Err(failure), _) if is_checked => step.with_failure(failure),
        (_, Err(failure), _) => {
            let (_, message, hints) = failure.into_parts();
            step.warn(message, format!("{MAY_BE_REFUSED}{}", hints.join("; ")))
        }
        (_, _, Some(facts)) if facts.days_left() < RENEWAL_DAYS => step.warn(
            format!("it expires in {} days", facts.days_left()),
            "make a new certificate, and register it at the server before",
        ),
        _ => step,
    }
}
