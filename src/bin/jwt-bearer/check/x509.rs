//! What a certificate says of itself, in words.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use x509_parser::prelude::{ASN1Time, FromDer as _, GeneralName, X509Certificate};

use crate::output::Failure;

const SECONDS_OF_A_DAY: i64 = 24 * 3600;
/// Names that are shown: a certificate of a content network has hundreds.
const MAX_NAMES: usize = 5;

/// Names and times of a certificate.
pub(super) struct Facts {
    pub(super) subject: String,
    pub(super) issuer: String,
    /// Host names and addresses.
    pub(super) names: Vec<String>,
    not_before: ASN1Time,
    not_after: ASN1Time,
}

impl Facts {
    /// Reads a certificate, or returns `None` where it is damaged.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names
            .into_iter()
            .flat_map(|names| &names.value.general_names);
        let names = names.filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
            _ => None,
        });
        Some(Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            names: names.collect(),
            not_before: certificate.validity().not_before,
            not_after: certificate.validity().not_after,
        })
    }

    /// Returns the days until it expires, negative where it has expired.
    pub(super) fn days_left(&self) -> i64 {
        let left = self.not_after.timestamp().saturating_sub(now());
        left.div_euclid(SECONDS_OF_A_DAY)
    }

    /// Checks that the certificate is valid today.
    ///
    /// # Errors
    /// Where it is not.
    pub(super) fn check_times(&self) -> Result<(), Failure> {
        let now = now();
        if now > self.not_after.timestamp() {
            let days = self.days_left().unsigned_abs();
            return Err(Failure::config(format!("expired {days} days ago"))
                .with_hint("make a new certificate, and register it at the server"));
        }
        if now < self.not_before.timestamp() {
            return Err(Failure::config("not valid yet")
                .with_hint("set this machine's clock, or wait until the certificate is valid"));
        }
        Ok(())
    }

    /// Returns the time in which the certificate is valid.
    pub(super) fn validity(&self) -> String {
        let [from, until] = [self.not_before, self.not_after].map(|time| time.to_datetime().date());
        format!("valid from {from} to {until}")
    }

    /// Returns the names that it is for.
    pub(super) fn shown_names(&self) -> String {
        let shown: Vec<_> = self.names.iter().take(MAX_NAMES).cloned().collect();
        match self.names.len().saturating_sub(MAX_NAMES) {
            _ if self.names.is_empty() => "no name".to_owned(),
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}
