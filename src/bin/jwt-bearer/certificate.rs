//! A certificate in words: whom it names, and how long it is valid.

use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jwt_bearer::Certificate;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::times::{relative, span, utc};

/// Names that are shown of a certificate.
const MAX_NAMES: usize = 10;

/// Returns what a certificate says, as labels and texts.
pub(crate) fn describe(certificate: &Certificate, now: i64) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let chain = certificate.x5c();
    let der = chain.first().and_then(|text| STANDARD.decode(text).ok());
    let der = der.unwrap_or_default();
    match X509Certificate::from_der(&der) {
        Ok((_, parsed)) => {
            let (subject, issuer) = (parsed.subject(), parsed.issuer());
            lines.push(("subject", name_text(&subject.to_string())));
            lines.push(match subject.as_raw() == issuer.as_raw() {
                true => ("issuer", "itself".to_owned()),
                false => ("issuer", name_text(&issuer.to_string())),
            });
            lines.extend(names(&parsed).map(|names| ("names", names)));
            let validity = parsed.validity();
            let (from, to) = (
                validity.not_before.timestamp(),
                validity.not_after.timestamp(),
            );
            lines.push(("valid", format!("{} to {}", utc(from), utc(to))));
            lines.push(("", validity_in_words(from, to, now)));
        }
        Err(_) => lines.push((
            "subject",
            "unknown: this certificate is not valid DER".to_owned(),
        )),
    }
    lines.push(("x5t", certificate.x5t()));
    lines.push(("x5t#S256", certificate.x5t_s256()));
    if let Some(others @ 1..) = chain.len().checked_sub(1) {
        lines.push(("chain", format!("{others} more after it in the file")));
    }
    lines
}

fn name_text(name: &str) -> String {
    match name {
        "" => "empty".to_owned(),
        name => name.to_owned(),
    }
}

/// Returns whether a certificate is valid now, and how long.
fn validity_in_words(from: i64, to: i64, now: i64) -> String {
    match (now < from, to < now) {
        (true, _) => format!("NOT VALID YET: it begins {}", relative(from, now)),
        (_, true) => format!("EXPIRED {}", relative(to, now)),
        _ => format!("expires in {}", span(to.abs_diff(now))),
    }
}

/// Returns the names of `subjectAltName`.
fn names(certificate: &X509Certificate<'_>) -> Option<String> {
    let extension = certificate.subject_alternative_name().ok()??;
    let all = &extension.value.general_names;
    let mut shown: Vec<_> = all.iter().take(MAX_NAMES).map(name).collect();
    if let Some(more @ 1..) = all.len().checked_sub(MAX_NAMES) {
        shown.push(format!("{more} more"));
    }
    Some(shown.join(", "))
}

fn name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
            (*text).to_owned()
        }
        GeneralName::DirectoryName(name) => name.to_string(),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(|bytes| Ipv4Addr::from(bytes).to_string());
            let v6 = || <[u8; 16]>::try_from(*bytes).map(|bytes| Ipv6Addr::from(bytes).to_string());
            v4.or_else(|_| v6())
                .unwrap_or_else(|_| "an IP address".to_owned())
        }
        _ => "a name of another kind".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_is_told_with_its_distance_from_now() {
        const DAY: i64 = 86_400;
        for (now, words) in [
            (-DAY * 3, "NOT VALID YET: it begins in 3 days"),
            (0, "expires in 23 days"),
            (DAY * 23, "expires in 0 seconds"),
            (DAY * 26, "EXPIRED 3 days ago"),
        ] {
            assert_eq!(validity_in_words(0, DAY * 23, now), words);
        }
    }
}
