//! Makes an assertion from a profile and a time, and the parameters that carry it.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{AssertionPlacement, Audience, Issuer, Jti, Profile, ScopePlacement, sorted_position};
use crate::endpoint::EndpointKind;
use crate::error::Error;
use crate::json::{self, JsonValue};
use crate::jwt::Assertion;
use crate::message::{RequestHeaders, is_public_header};
use crate::placement::Parameter;
use crate::random;
use crate::signer::{CurrentSigner, Signer};

/// Parameters whose values are not secret and help to understand a server's error text.
const PUBLIC_PARAMETERS: &[&str] = &[
    "actor_token_type",      // RFC 8693 §2.1
    "audience",              // RFC 8693 §2.1
    "client_assertion_type", // RFC 7521 §4.2
    "client_id",             // RFC 6749 §2.2
    "grant_type",            // RFC 6749 §4
    "requested_token_type",  // RFC 8693 §2.1
    "requested_token_use",   // Microsoft's on-behalf-of request
    "resource",              // RFC 8707 §2
    "response_type",         // RFC 6749 §3.1.1
    "scope",                 // RFC 6749 §3.3
    "subject_token_type",    // RFC 8693 §2.1
];

/// Returns whether the values of a parameter are known not to be secret.
#[allow(unreachable_pub, reason = "the command line names this function")]
pub fn is_public_parameter(name: &str) -> bool {
    PUBLIC_PARAMETERS.contains(&name)
}

/// The shortest part of a header's value that may be a secret, in characters: `Basic` is shorter.
const MIN_PART: usize = 8;

impl Profile {
    /// Returns a new signed assertion, without sending anything.
    ///
    /// This is for a program that makes its own token request. `now` is the time that `iat` and
    /// `exp` are counted from.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the profile cannot work, or its audience needs metadata that has not
    /// been read; [`Key`](crate::ErrorKind::Key) if the signer fails.
    pub fn assertion(&self, signer: &dyn Signer, now: SystemTime) -> Result<Assertion, Error> {
        self.assertion_by(&CurrentSigner::of(signer), now)
    }

    /// Returns a new assertion signed by `signer`.
    pub(crate) fn assertion_by(
        &self,
        signer: &CurrentSigner<'_>,
        now: SystemTime,
    ) -> Result<Assertion, Error> {
        let jti = match self.jti {
            Jti::Omit => None,
            Jti::Uuid => Some(random::uuid()?),
            Jti::Hex => Some(random::uuid_hex()?),
        };
        self.assertion_with_jti(&**signer, now, jti)
    }

    /// Returns the assertion with this `jti`, so that tests can compare it byte for byte.
    ///
    /// The claims are `iss`, `sub`, `aud`, `exp`, `nbf`, `iat`, `jti`, then the others sorted by name.
    pub(crate) fn assertion_with_jti(
        &self,
        signer: &dyn Signer,
        now: SystemTime,
        jti: Option<String>,
    ) -> Result<Assertion, Error> {
        self.check()?;
        let seconds = |time: Option<SystemTime>| {
            let seconds = time.and_then(seconds_since_1970);
            seconds.ok_or_else(|| Error::config("the clock or a duration is out of range"))
        };
        let exp = self
            .assertion_lifetime
            .map(|ahead| seconds(now.checked_add(ahead)))
            .transpose()?;
        let before_now = |leeway: Option<Duration>| {
            leeway
                .map(|leeway| seconds(now.checked_sub(leeway)))
                .transpose()
        };
        let (nbf, iat) = (before_now(self.nbf_leeway)?, before_now(self.iat_leeway)?);
        let iss = self.iss(signer)?;
        let (aud, scope) = (self.aud()?, self.scope_claim());
        let at = scope
            .as_ref()
            .map(|(name, _)| sorted_position(&self.claims, name));
        let (before, after) = self.claims.split_at(at.unwrap_or_default());
        self.check_signer(signer)?;
        let assertion = Assertion::sign(signer, self.typ.as_deref(), &self.header, |claims| {
            claims.text("iss", iss.as_deref());
            claims.text("sub", self.subject.as_deref());
            claims.text("aud", aud);
            claims.number("exp", exp);
            claims.number("nbf", nbf);
            claims.number("iat", iat);
            claims.text("jti", jti.as_deref());
            claims.json_members(before.iter().chain(&scope).chain(after));
        })?;
        self.check_length(&assertion, signer.algorithm())?;
        Ok(assertion.with_jti(jti))
    }

    /// Returns the value of the claim `iss`, or `None` if it is left out.
    fn iss(&self, signer: &dyn Signer) -> Result<Option<Cow<'_, str>>, Error> {
        Ok(match &self.issuer {
            Issuer::Omit => None,
            Issuer::Fixed(issuer) => Some(issuer.into()),
            Issuer::WithFingerprint(before) => {
                let fingerprint = signer.identity().ok_or_else(|| {
                    Error::key("iss names the key by its fingerprint: implement Signer::identity")
                })?;
                Some([before, &*STANDARD.encode(fingerprint)].concat().into())
            }
        })
    }

    /// Returns the value of the claim `aud`, or `None` if it is left out.
    pub(super) fn aud(&self) -> Result<Option<&str>, Error> {
        match (&self.audience, self.endpoint.kind()) {
            (Audience::Omit, _) => Ok(None),
            (Audience::Fixed(aud), _) => Ok(Some(aud)),
            (Audience::TokenEndpoint, EndpointKind::Token { url, .. }) => Ok(Some(url.as_str())),
            (
                Audience::Issuer,
                EndpointKind::Token {
                    issuer: Some(issuer),
                    ..
                },
            ) => Ok(Some(issuer)),
            (Audience::Issuer, EndpointKind::Token { issuer: None, .. }) => Err(Error::config(
                "the audience is to be the issuer, and no metadata named one: give the audience as a text",
            )),
            (_, EndpointKind::SelfSigned) => Err(Error::config(
                "without a token endpoint the audience is a fixed text or left out",
            )),
            (_, EndpointKind::Discovered { .. }) => Err(Error::config(
                "the audience is known by discovery only: read the metadata first",
            )),
        }
    }

    /// Returns the claim that contains the scopes, in JSON.
    ///
    /// Nothing is escaped: the profile's check refuses scopes with quotes, backslashes or control
    /// characters.
    pub(super) fn scope_claim(&self) -> Option<(String, String)> {
        let scope = self.scope.as_deref()?;
        let (name, [begin, between, end]) = match &self.scope_placement {
            ScopePlacement::Parameter => return None,
            ScopePlacement::ClaimArray(name) => (name, ["[\"", "\",\"", "\"]"]),
            ScopePlacement::ClaimWithCommas(name) => (name, ["\"", ",", "\""]),
            ScopePlacement::ClaimWithSpaces(name) => (name, ["\"", " ", "\""]),
        };
        let scopes: Vec<_> = scope.split(' ').collect();
        let json = [begin, &scopes.join(between), end].concat();
        Some((name.to_string(), json))
    }

    /// Returns the `iat` of an assertion made `now`, in seconds since 1970.
    pub(crate) fn iat_at(&self, now: SystemTime) -> u64 {
        let iat = now.checked_sub(self.iat_leeway.unwrap_or_default());
        iat.and_then(seconds_since_1970).unwrap_or_default()
    }

    /// Returns the parts of the request that a server's text must not repeat.
    ///
    /// These are the values of all parameters except known public ones, the texts inside values that are JSON, and the
    /// values of headers and their parts.
    pub(crate) fn secret_values(&self) -> Vec<Zeroizing<String>> {
        let mut secrets = self.encoded_secrets.clone();
        let parameters = self.parameters.iter();
        for parameter in parameters.filter(|parameter| !is_public_parameter(&parameter.name)) {
            secrets.push(parameter.value.clone());
            if let Some(value) = parameter
                .is_json
                .then(|| JsonValue::parse(&parameter.value))
                .flatten()
            {
                json::visit("", &value, &mut |_, value| {
                    secrets.extend(value.as_str().map(|text| Zeroizing::new(text.to_owned())));
                });
            }
        }
        let headers = self.request_headers.iter();
        for (_, value) in headers.filter(|(name, _)| !is_public_header(name)) {
            secrets.push(value.clone());
            let parts = value
                .split([' ', ';', ',', '='])
                .filter(|part| part.len() >= MIN_PART);
            secrets.extend(parts.map(|part| Zeroizing::new(part.to_owned())));
        }
        secrets
    }

    /// Returns all parameters of a token request, with the assertion last.
    pub(crate) fn parameters<'a>(&'a self, assertion: &'a Assertion) -> Vec<Parameter<'a>> {
        let text = |name, value| Parameter {
            name,
            value,
            is_json: false,
        };
        let scope = self
            .scope
            .as_deref()
            .filter(|_| self.scope_placement == ScopePlacement::Parameter);
        let parameters = self.parameters.iter().map(|parameter| Parameter {
            name: &parameter.name,
            value: &parameter.value,
            is_json: parameter.is_json,
        });
        let mut all: Vec<_> = parameters.collect();
        all.extend(scope.map(|scope| text("scope", scope)));
        if let AssertionPlacement::Parameter(name) = &self.assertion_placement {
            all.push(text(name, assertion.secret()));
        }
        all
    }

    /// Returns the additional headers of a token request.
    pub(crate) fn request_headers(&self, assertion: &Assertion) -> RequestHeaders {
        let mut headers = self.request_headers.clone();
        if self.assertion_placement == AssertionPlacement::Bearer {
            let value = Zeroizing::new(["Bearer ", assertion.secret()].concat());
            headers.push((Cow::Borrowed("Authorization"), value));
        }
        headers
    }
}

fn seconds_since_1970(time: SystemTime) -> Option<u64> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}

/// PyJWT 2.15.1 made the expected assertions.
#[cfg(all(test, feature = "rsa"))]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::Value;

    use super::*;
    use crate::{Endpoint, HmacKey, RsaKey, cylance, marketing_cloud_intelligence};

    const UUID: &str = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../tests/data/vectors.json")).unwrap()
    }
    fn rsa_key() -> RsaKey {
        RsaKey::from_pem(vectors()["key"]["pkcs1_pem"].as_str().unwrap()).unwrap()
    }
    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }
    fn segment(jwt: &str, n: usize) -> Value {
        let bytes = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(n).unwrap());
        serde_json::from_slice(&bytes.unwrap()).unwrap()
    }
    /// Compares header and claims as JSON values, since the vectors order members differently.
    #[track_caller]
    fn assert_equals_vector(ours: &Assertion, system: &str) {
        let vector = &vectors()[system];
        assert_eq!(segment(ours.secret(), 0), vector["header"]);
        assert_eq!(segment(ours.secret(), 1), vector["claims"]);
    }
    fn mci() -> Profile {
        let endpoint = Endpoint::token(marketing_cloud_intelligence::US1).unwrap();
        Profile::marketing_cloud_intelligence(endpoint, "svc-0001")
    }
    fn salesforce() -> Profile {
        let login = "https://login.salesforce.com";
        Profile::salesforce(login, "3MVG9TESTKEY", "ci@example.com").unwrap()
    }
    fn cylance() -> (Profile, HmacKey) {
        let vector = &vectors()["cylance"];
        let claim = |name: &str| vector["claims"][name].as_str().unwrap().to_owned();
        let profile = Profile::cylance(cylance::NORTH_AMERICA, claim("tid"), claim("sub")).unwrap();
        let secret = vector["secret_utf8"].as_str().unwrap();
        (
            profile.with_assertion_lifetime(Duration::from_secs(1800)),
            HmacKey::new(secret).unwrap(),
        )
    }

    #[test]
    fn marketing_cloud_intelligence_assertion_matches_vector() {
        let jti = "45911cd010b846f9810b150c969b0007";
        let ours = mci().assertion_with_jti(&rsa_key(), at(1_690_129_371), Some(jti.to_owned()));
        let ours = ours.unwrap();
        assert_equals_vector(&ours, "mci");
        assert_eq!(
            ours.secret(),
            include_str!("../../tests/data/mci.jwt").trim_end()
        );
    }

    #[test]
    fn salesforce_assertion_matches_vector() {
        let bare = salesforce()
            .without_typ()
            .with_assertion_lifetime(Duration::from_secs(180));
        let ours = bare
            .assertion_with_jti(&rsa_key(), at(1_700_000_000), None)
            .unwrap();
        assert_equals_vector(&ours, "salesforce");
        let ours =
            salesforce().assertion_with_jti(&rsa_key(), at(1_700_000_000), Some(UUID.to_owned()));
        assert_eq!(
            ours.unwrap().secret(),
            include_str!("../../tests/data/salesforce.jwt").trim_end()
        );
    }

    #[test]
    fn cylance_assertion_matches_vector() {
        let (profile, key) = cylance();
        let ours = profile.assertion_with_jti(&key, at(1_700_000_000), Some(UUID.to_owned()));
        let ours = ours.unwrap();
        assert_equals_vector(&ours, "cylance");
        assert_eq!(
            ours.secret(),
            include_str!("../../tests/data/cylance.jwt").trim_end()
        );
    }

    #[test]
    fn public_parameters_are_not_redacted() {
        let names = [
            "actor_token_type",
            "requested_token_use",
            "response_type",
            "scope",
            "subject_token_type",
        ];
        let profile = names
            .iter()
            .fold(salesforce(), |all, name| all.with_parameter(*name, *name))
            .with_parameter("subject_token", "secret");
        let secrets: Vec<_> = profile.secret_values();
        assert_eq!(
            secrets.iter().map(|s| s.as_str()).collect::<Vec<_>>(),
            ["secret"]
        );
    }

    #[test]
    fn assertion_writes_header_members_and_claims_in_fixed_order() {
        let profile = salesforce()
            .with_header("x5t#S256", "t")
            .with_header("a", 1)
            .with_claim("z", true)
            .with_claim("b", serde_json::json!({ "n": null }))
            .with_claim("absent", Value::Null)
            .with_scope("read write")
            .with_scope_placement(ScopePlacement::ClaimArray("scp".into()));
        let key = rsa_key().with_key_id("k1");
        let ours = profile
            .assertion_with_jti(&key, at(0), Some("j".to_owned()))
            .unwrap();
        let text = |n| {
            let bytes = URL_SAFE_NO_PAD.decode(ours.secret().split('.').nth(n).unwrap());
            String::from_utf8(bytes.unwrap()).unwrap()
        };
        assert_eq!(
            text(0),
            r#"{"typ":"JWT","alg":"RS256","kid":"k1","a":1,"x5t#S256":"t"}"#
        );
        assert_eq!(
            text(1),
            r#"{"iss":"3MVG9TESTKEY","sub":"ci@example.com","aud":"https://login.salesforce.com","exp":120,"jti":"j","b":{"n":null},"scp":["read","write"],"z":true}"#
        );
    }
}
