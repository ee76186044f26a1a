//! Checks of a profile before anything is signed.

use std::time::Duration;

use serde_json::Value;

use super::{
    AssertionPlacement, Audience, Issuer, Jti, MAX_TOKEN_LIFETIME, Profile, ScopePlacement,
};
use crate::discovery::ExpectedIssuer;
use crate::endpoint::EndpointKind;
use crate::error::Error;
use crate::json::{self, JsonValue};
use crate::jwt::Assertion;
use crate::message::is_header;
use crate::signer::{Algorithm, Signer};

/// Claims that have their own setting. RFC 7519 §4 forbids duplicate claim names.
const RESERVED_CLAIMS: &[&str] = &["iss", "sub", "aud", "exp", "iat", "jti"];
/// Header members that have their own setting. RFC 7515 §4 forbids duplicate member names.
const RESERVED_HEADER: &[&str] = &["typ", "alg", "kid"];
/// The only parameters that a request may repeat (RFC 8707 §2, RFC 8693 §2.1).
const REPEATABLE: &[&str] = &["resource", "audience"];
/// The upper limit of `nbf`, in the year 5138. A larger number is in milliseconds.
const MAX_NBF_SECONDS: u64 = 100_000_000_000;

/// 2^53: from here on, a float cannot represent every integer.
const FIRST_INEXACT: f64 = 9_007_199_254_740_992.0;

impl Profile {
    /// Checks everything that can be wrong before discovery and signing.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the profile cannot work.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.check_values()?;
        self.check_names()?;
        self.check_parameters()?;
        self.check_numbers()?;
        self.check_headers()?;
        (self.limits.check)(self).map_err(Error::config)?;
        match self.endpoint.kind() {
            EndpointKind::Token { .. } => self.aud().map(drop),
            EndpointKind::Discovered { .. } => self.expected_issuer().map(drop),
            EndpointKind::SelfSigned => self.check_self_signed(),
        }
    }

    /// Checks that a self-signed profile sets nothing that only a request could carry.
    fn check_self_signed(&self) -> Result<(), Error> {
        let problem = if self.has_scope_parameter() {
            "scope would be a parameter: set its placement to a claim"
        } else if !self.parameters.is_empty() || !self.request_headers.is_empty() {
            "parameters and request headers have no request"
        } else {
            return self.aud().map(drop);
        };
        Err(Error::config(format!(
            "nothing is exchanged, so that {problem}"
        )))
    }

    /// Checks that the server accepts assertions signed by this key.
    ///
    /// # Errors
    /// [`Key`](crate::ErrorKind::Key) if it does not.
    pub(crate) fn check_signer(&self, signer: &dyn Signer) -> Result<(), Error> {
        let has_x5c = self.header.iter().any(|(name, _)| name == "x5c");
        let problem = match signer.key_id() {
            Some("") => "the key has an empty kid: set the key id, or none",
            None if self.limits.needs_key_id && !has_x5c => {
                "this server finds the key by kid, and the key has none: set the key id"
            }
            _ => return self.check_algorithm(signer.algorithm()),
        };
        Err(Error::key(problem))
    }

    fn check_algorithm(&self, algorithm: Algorithm) -> Result<(), Error> {
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

    /// Checks the length of a signed assertion.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) or [`Key`](crate::ErrorKind::Key) if the server refuses it.
    pub(super) fn check_length(
        &self,
        assertion: &Assertion,
        algorithm: Algorithm,
    ) -> Result<(), Error> {
        let length = assertion.secret().len();
        let longest = self.limits.assertion_length;
        if length > longest {
            return Err(Error::config(format!(
                "the assertion has {length} bytes, and this server accepts {longest}: take a shorter key, or fewer claims"
            )));
        }
        let longest = self.limits.rsa_bits;
        let is_rsa = algorithm.is_rsa();
        let bits = assertion.signature_length().saturating_mul(8);
        match is_rsa && bits > longest {
            true => Err(Error::key(format!(
                "the RSA key has {bits} bits, and this server accepts at most {longest}"
            ))),
            false => Ok(()),
        }
    }

    /// Returns the issuer that the metadata must name, or `None` if any will do.
    pub(crate) fn expected_issuer(&self) -> Result<Option<ExpectedIssuer<'_>>, Error> {
        let EndpointKind::Discovered { url, discovery } = self.endpoint.kind() else {
            return Ok(None);
        };
        (discovery.expected_issuer)(url, self.audience == Audience::Issuer)
    }

    /// Checks the values that a caller chose, each by itself.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if one cannot be right.
    #[doc(hidden)]
    pub fn check_values(&self) -> Result<(), Error> {
        self.check_texts()?;
        self.check_times()
    }

    fn check_texts(&self) -> Result<(), Error> {
        let aud = match &self.audience {
            Audience::Fixed(aud) => Some(aud),
            _ => None,
        };
        let issuer = match &self.issuer {
            Issuer::Omit => None,
            Issuer::Fixed(text) | Issuer::WithFingerprint(text) => Some(text.as_str()),
        };
        // Several servers name a tenant in `tid`, and people paste it just like an issuer.
        let tid = self.claim("tid").and_then(json::decode_string);
        let texts = [
            ("issuer", issuer),
            ("subject", self.subject.as_deref()),
            ("audience", aud.map(String::as_str)),
            ("claim tid", tid.as_deref().map(String::as_str)),
        ];
        for (what, text) in texts {
            let Some(text) = text else { continue };
            let problem = match text {
                "" => "is empty",
                text if text.starts_with('"') || text.ends_with('"') => {
                    "begins or ends with a quote, perhaps copied from a document: remove it"
                }
                text if text.trim() != text || text.contains(char::is_control) => {
                    "begins or ends with white space, or holds a control character"
                }
                _ => continue,
            };
            return Err(Error::config(format!("{what} {problem}")));
        }
        if self.typ.as_deref() == Some("") {
            return Err(Error::config("typ is empty"));
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
        let lifetime = self.assertion_lifetime;
        let exp_after_now = lifetime.unwrap_or_default();
        let exp_after_iat = exp_after_now.saturating_add(self.iat_leeway.unwrap_or_default());
        let token_lifetime = self.response.default_lifetime;
        let problem = if lifetime.is_some_and(|exp| exp < Duration::from_secs(1)) {
            "exp lies less than a second ahead"
        } else if exp_after_iat > self.limits.exp_after_iat {
            "exp lies further after iat than this server accepts"
        } else if exp_after_now > self.limits.exp_after_now {
            "exp lies further ahead than this server accepts"
        } else if self.jti == Jti::Omit && self.iat_leeway.is_none() {
            "an assertion needs jti or iat: without both, two of them are the same"
        } else if token_lifetime.is_zero() || token_lifetime > MAX_TOKEN_LIFETIME {
            "the lifetime of a token is from above zero to 31 days"
        } else {
            return Ok(());
        };
        Err(Error::config(problem))
    }

    /// Checks that no claim and no header member appears twice.
    fn check_names(&self) -> Result<(), Error> {
        let scope_claim = self.scope_claim().map(|(name, _)| name);
        let claims = self.claims.iter().map(|(name, _)| name).chain(&scope_claim);
        let nbf = self.nbf_leeway.map(|_| "nbf");
        let mut claims = claims.map(String::as_str).chain(nbf);
        check_unique("claim", RESERVED_CLAIMS, &mut claims)?;
        let mut header = self.header.iter().map(|(name, _)| name.as_str());
        check_unique("header member", RESERVED_HEADER, &mut header)
    }

    /// Checks that no parameter appears twice, except those that may be repeated.
    fn check_parameters(&self) -> Result<(), Error> {
        let assertion = match &self.assertion_placement {
            AssertionPlacement::Parameter(name) => Some(&**name),
            AssertionPlacement::Bearer => None,
        };
        let scope = self.has_scope_parameter().then_some("scope");
        if scope.is_some() && scope == assertion {
            return Err(set_twice("parameter", "scope"));
        }
        let names = self.parameters.iter().map(|parameter| &*parameter.name);
        let may_repeat = |name: &&str| REPEATABLE.contains(name) && assertion != Some(*name);
        let mut once = names.clone().filter(|name| !may_repeat(name));
        let reserved = ["scope", assertion.unwrap_or("scope")];
        check_unique("parameter", &reserved, &mut once)?;
        match self
            .placement
            .conflict(&mut names.chain(assertion).chain(scope))
        {
            None => Ok(()),
            Some(name) => Err(Error::config(format!(
                "parameter {name} is set twice, is inside another parameter, or is nested too deeply"
            ))),
        }
    }

    /// Checks that no number has lost digits, and that `nbf` is a time.
    fn check_numbers(&self) -> Result<(), Error> {
        check_digits(
            "claim",
            self.claims.iter().map(|(name, json)| (&**name, &**json)),
        )?;
        check_digits(
            "header member",
            self.header.iter().map(|(name, json)| (&**name, &**json)),
        )?;
        let parameters = self.parameters.iter().filter(|parameter| parameter.is_json);
        check_digits(
            "parameter",
            parameters.map(|parameter| (&*parameter.name, &**parameter.value)),
        )?;
        let is_time = |json: &str| json.parse::<u64>().is_ok_and(|s| s < MAX_NBF_SECONDS);
        match self.claim("nbf") {
            Some(nbf) if !is_time(nbf) => {
                Err(Error::config("claim nbf is not a whole number of seconds"))
            }
            _ => Ok(()),
        }
    }

    fn has_scope_parameter(&self) -> bool {
        self.scope.is_some() && self.scope_placement == ScopePlacement::Parameter
    }

    fn check_headers(&self) -> Result<(), Error> {
        for (name, value) in &self.request_headers {
            let problem = if !is_header(name, value) {
                "cannot be sent: check its name, and that its value is one line of ASCII"
            } else if name.eq_ignore_ascii_case("Authorization")
                && self.assertion_placement == AssertionPlacement::Bearer
            {
                "carries the assertion already"
            } else {
                continue;
            };
            // Text that is not a valid name may be a secret, given in its place by mistake.
            let name = if is_header(name, "") { name } else { "NAME" };
            return Err(Error::config(format!("request header {name} {problem}")));
        }
        Ok(())
    }

    /// Returns the value of an added claim, in JSON.
    pub(crate) fn claim(&self, name: &str) -> Option<&str> {
        let (_, json) = self.claims.iter().find(|(other, _)| other == name)?;
        Some(json)
    }
}

/// Checks that no number has lost digits: an integer beyond 64 bits becomes a float when JSON is parsed.
fn check_digits<'a>(
    what: &str,
    members: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<(), Error> {
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

/// Checks that no name is reserved or repeated.
///
/// Every assertion is checked, so an empty list must not allocate.
fn check_unique(
    what: &str,
    reserved: &[&str],
    names: &mut dyn Iterator<Item = &str>,
) -> Result<(), Error> {
    let mut seen = Vec::new(); // sorted
    for name in names {
        match seen.binary_search(&name) {
            Err(at) if !reserved.contains(&name) => seen.insert(at, name),
            _ => return Err(set_twice(what, name)),
        }
    }
    Ok(())
}

fn set_twice(what: &str, name: &str) -> Error {
    Error::config(format!(
        "{what} {name} is set twice, or has a setting of its own"
    ))
}
