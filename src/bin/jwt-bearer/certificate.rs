//! A certificate in words: whom it names, and how long it is valid.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jwt_bearer::Certificate;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::failure::Failure;
use crate::times::{DAY, now, relative, span, utc};

/// The most names of a certificate that are shown: that of a content network has hundreds.
const MAX_NAMES: usize = 10;

/// Names and times of a certificate.
pub(crate) struct Facts {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    is_self_issued: bool,
    /// The names of `subjectAltName`.
    pub(crate) names: Vec<String>,
    /// Seconds since 1970.
    not_before: i64,
    not_after: i64,
}

impl Facts {
    /// Reads a certificate, or returns `None` if it is damaged.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let (subject, issuer) = (certificate.subject(), certificate.issuer());
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names
            .into_iter()
            .flat_map(|names| &names.value.general_names);
        let validity = certificate.validity();
        Some(Self {
            subject: subject.to_string(),
            issuer: issuer.to_string(),
            is_self_issued: subject.as_raw() == issuer.as_raw(),
            names: names.map(name).collect(),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        })
    }

    /// Reads the first certificate of a chain.
    pub(crate) fn of(certificate: &Certificate) -> Option<Self> {
        let chain = certificate.x5c();
        Self::read(&STANDARD.decode(chain.first()?).ok()?)
    }

    /// Returns the days until the certificate expires, negative if it has expired.
    pub(crate) fn days_left(&self) -> i64 {
        let day = i64::try_from(DAY).unwrap_or(i64::MAX);
        self.not_after.saturating_sub(now()).div_euclid(day)
    }

    /// Checks that the certificate is valid now.
    ///
    /// # Errors
    /// If it is not.
    pub(crate) fn check_times(&self) -> Result<(), Failure> {
        let now = now();
        if now > self.not_after {
            let days = self.days_left().unsigned_abs();
            return Err(Failure::config(format!("expired {days} days ago"))
                .with_hint("make a new certificate, and register it at the server"));
        }
        if now < self.not_before {
            return Err(Failure::config("not valid yet")
                .with_hint("set this machine's clock, or wait until the certificate is valid"));
        }
        Ok(())
    }

    /// Returns the times between which the certificate is valid.
    pub(crate) fn validity(&self) -> String {
        format!("{} to {}", utc(self.not_before), utc(self.not_after))
    }

    /// Returns the names that the certificate is for.
    pub(crate) fn shown_names(&self) -> String {
        let shown: Vec<_> = self.names.iter().take(MAX_NAMES).cloned().collect();
        match self.names.len().saturating_sub(MAX_NAMES) {
            _ if self.names.is_empty() => "no name".to_owned(),
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    }
}

/// Returns what a certificate says, as labels and texts.
pub(crate) fn describe(certificate: &Certificate) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    match Facts::of(certificate) {
        Some(facts) => {
            lines.push(("subject", name_text(&facts.subject)));
            lines.push(match facts.is_self_issued {
                true => ("issuer", "itself".to_owned()),
                false => ("issuer", name_text(&facts.issuer)),
            });
            if !facts.names.is_empty() {
                lines.push(("names", facts.shown_names()));
            }
            lines.push(("valid", facts.validity()));
            let words = validity_in_words(facts.not_before, facts.not_after, now());
            lines.push(("", words));
        }
        None => lines.push((
            "subject",
            "unknown: this certificate is not valid DER".to_owned(),
        )),
    }
    lines.push(("x5t", certificate.x5t()));
    lines.push(("x5t#S256", certificate.x5t_s256()));
    if let Some(others @ 1..) = certificate.x5c().len().checked_sub(1) {
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

/// Says whether a certificate is valid now, and for how long.
fn validity_in_words(from: i64, to: i64, now: i64) -> String {
    match (now < from, to < now) {
        (true, _) => format!("NOT VALID YET: it begins {}", relative(from, now)),
        (_, true) => format!("EXPIRED {}", relative(to, now)),
        _ => format!("expires in {}", span(to.abs_diff(now))),
    }
}

fn name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
            (*text).to_owned()
        }
        GeneralName::DirectoryName(name) => name.to_string(),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.map_or("an IP address".to_owned(), |address| address.to_string())
        }
        _ => "a name of another kind".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_has_its_distance_from_now() {
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
