//! Checks of a profile before anything is signed.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

use super::{Audience, Jti, MAX_TOKEN_LIFETIME, Placement, Profile};
use crate::endpoint::EndpointKind;
use crate::error::Error;
use crate::json::{self, JsonValue};
use crate::signer::Algorithm;

/// Claims that have a setting of their own. RFC 7519 §4 allows no claim name twice.
const RESERVED_CLAIMS: &[&str] = &["iss", "sub", "aud", "exp", "iat", "jti"];
/// Header members that have a setting of their own. RFC 7515 §4 allows no member name twice.
const RESERVED_HEADER: &[&str] = &["typ", "alg", "kid"];
/// The only parameters that a request may repeat (RFC 8707 §2, RFC 8693 §2.1).
const REPEATABLE: &[&str] = &["resource", "audience"];
/// The end of the times that `nbf` may have: the year 5138. A larger number is in milliseconds.
const MAX_NBF_SECONDS: u64 = 100_000_000_000;

/// 2^53: from here on a float does not tell every integer from the next.
const FIRST_INEXACT: f64 = 9_007_199_254_740_992.0;

impl Profile {
    /// Checks everything that can be wrong before discovery and signing.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) where the profile cannot work.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.check_texts()?;
        self.check_times()?;
        self.check_names()?;
        match (&self.audience, self.endpoint.kind()) {
            (Audience::Issuer, EndpointKind::Token { .. }) => self.aud().map(drop),
            _ => self.expected_issuer().map(drop),
        }
    }

    /// Checks that the server accepts what a key signs.
    ///
    /// # Errors
    /// [`Key`](crate::ErrorKind::Key) where it does not.
    pub(crate) fn check_algorithm(&self, algorithm: Algorithm) -> Result<(), Error> {
        let accepted = self.algorithms();
        if accepted.is_empty() || accepted.contains(&algorithm) {
            return Ok(());
        }
        let accepted: Vec<_> = accepted.iter().map(|accepted| accepted.name()).collect();
        Err(Error::key(format!(
            "this server accepts {}, and the key signs {algorithm}: choose another algorithm of the \
             key, or another key",
            accepted.join(", ")
        )))
    }

    /// Returns the issuer that the metadata must name, `None` where any will do.
    ///
    /// A metadata URL names an issuer only where it is a well-known one, and that matters only where
    /// the issuer becomes the audience: Entra's and Azure AD B2C's differ from their addresses.
    pub(crate) fn expected_issuer(&self) -> Result<Option<Cow<'_, str>>, Error> {
        match (self.endpoint.kind(), &self.audience) {
            (EndpointKind::Issuer(issuer), _) => Ok(Some(issuer.as_str().into())),
            (EndpointKind::Metadata(url), Audience::Issuer) => match url.well_known_issuer() {
                Some(issuer) => Ok(Some(issuer.into())),
                None => Err(Error::config(
                    "the audience is to be the issuer, which this metadata URL does not name: \
                    give Endpoint::issuer, or Audience::Fixed",
                )),
            },
            _ => Ok(None),
        }
    }

    fn check_texts(&self) -> Result<(), Error> {
        let aud = match &self.audience {
            Audience::Fixed(aud) => Some(aud),
            _ => None,
        };
        // Several servers name a tenant in `tid`, and people paste it as they paste an issuer.
        let tid = self.claim("tid").and_then(json::text);
        let texts = [
            ("issuer", Some(self.issuer.as_str())),
            ("subject", self.subject.as_deref()),
            ("audience", aud.map(String::as_str)),
            ("claim tid", tid.as_deref().map(String::as_str)),
        ];
        for (what, text) in texts {
            let Some(text) = text else { continue };
            let problem = match text {
                "" => "is empty",
                text if text.contains('"') => {
                    "holds a stray quote, as the printed document does: remove it"
                }
                text if text.trim() != text || text.contains(char::is_control) => {
                    "begins or ends with white space, or holds a control character"
                }
                _ => continue,
            };
            return Err(Error::config(format!("{what} {problem}")));
        }
        let scope_token = |t: &str| {
            !t.is_empty()
                && t.bytes()
                    .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
        };
        match self
            .scope
            .as_deref()
            .is_none_or(|scope| scope.split(' ').all(scope_token))
        {
            true => Ok(()),
            false => Err(Error::config(
                "scope is not a list of names with one space between them",
            )),
        }
    }

    fn check_times(&self) -> Result<(), Error> {
        let problem = if self
            .assertion_lifetime
            .is_some_and(|exp| exp < Duration::from_secs(1))
        {
            "exp lies less than a second ahead"
        } else if self
            .assertion_lifetime
            .unwrap_or_default()
            .saturating_add(self.iat_leeway.unwrap_or_default())
            > self.max_exp_after_iat
        {
            "exp lies further after iat than this server accepts"
        } else if self.jti == Jti::Omit && self.iat_leeway.is_none() {
            "an assertion needs jti or iat: without both, two of them are the same"
        } else if self.token_lifetime.is_zero() || self.token_lifetime > MAX_TOKEN_LIFETIME {
            "the lifetime of a token is from above zero to 31 days"
        } else {
            return Ok(());
        };
        Err(Error::config(problem))
    }

    /// Checks that no claim, header member or parameter has a name twice.
    fn check_names(&self) -> Result<(), Error> {
        let scope_claim = self.scope_claim().map(|(name, _)| name);
        let claims = self.claims.iter().map(|(name, _)| name).chain(&scope_claim);
        check_unique("claim", RESERVED_CLAIMS, &mut claims.map(String::as_str))?;
        let mut header = self.header.iter().map(|(name, _)| name.as_str());
        check_unique("header member", RESERVED_HEADER, &mut header)?;
        let names = self.parameters.iter().map(|(name, _)| name.as_ref());
        let mut names =
            names.filter(|name| self.placement == Placement::Json || !REPEATABLE.contains(name));
        check_unique(
            "parameter",
            &[self.assertion_parameter, "scope"],
            &mut names,
        )?;
        check_digits("claim", &self.claims)?;
        check_digits("header member", &self.header)?;
        let is_time = |json: &str| json.parse::<u64>().is_ok_and(|s| s < MAX_NBF_SECONDS);
        match self.claim("nbf").is_none_or(is_time) {
            true => Ok(()),
            false => Err(Error::config("claim nbf is not a whole number of seconds")),
        }
    }

    /// Returns the value of an added claim, in JSON.
    fn claim(&self, name: &str) -> Option<&str> {
        let (_, json) = self.claims.iter().find(|(other, _)| other == name)?;
        Some(json)
    }
}

/// Checks that no number has lost digits: an integer beyond 64 bits becomes a float when JSON is parsed.
fn check_digits(what: &str, members: &[(String, String)]) -> Result<(), Error> {
    for (name, json) in members {
        // A float is written with a point or an exponent.
        let may_be_float = json.contains(['.', 'e']);
        let mut is_inexact = false;
        if let Some(value) = may_be_float.then(|| JsonValue::parse(json)).flatten() {
            json::visit("", &value, &mut |_, value| {
                is_inexact |= is_inexact_integer(value);
            });
        }
        if is_inexact {
            let message = format!(
                "{what} {name} holds an integer beyond 64 bits, which would lose digits: give it as a string"
            );
            return Err(Error::config(message));
        }
    }
    Ok(())
}

fn is_inexact_integer(value: &Value) -> bool {
    let float = value.as_f64().filter(|_| value.is_f64());
    float.is_some_and(|float| float.fract() == 0.0 && float.abs() >= FIRST_INEXACT)
}

/// Checks that no name is reserved and none is repeated.
///
/// Every assertion is checked, so that an empty list must allocate nothing.
fn check_unique(
    what: &str,
    reserved: &[&str],
    names: &mut dyn Iterator<Item = &str>,
) -> Result<(), Error> {
    let mut seen = Vec::new(); // sorted
    for name in names {
        match seen.binary_search(&name) {
            Err(at) if !reserved.contains(&name) => seen.insert(at, name),
            _ => {
                let message = format!("{what} {name} is set twice, or has a setting of its own");
                return Err(Error::config(message));
            }
        }
    }
    Ok(())
}
