//! Computes the identity of a token from a profile and the identity of a key. It names the token in a store.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use zeroize::Zeroizing;

use super::{AssertionPlacement, Audience, Issuer, Profile, ScopePlacement};
use crate::endpoint::EndpointKind;
use crate::key::hash::sha256;
use crate::signer::Signer;
use crate::token::TokenHeader;

/// Identifies one token among all others.
#[derive(Debug)]
pub(crate) struct TokenIdentity {
    /// Everything that distinguishes two tokens, in JSON. Identities are compared by this text.
    pub(crate) text: String,
    /// The SHA-256 of the text in hexadecimal digits.
    pub(crate) name: String,
    /// The header that carries the token to an API, which the store does not keep.
    pub(crate) header: TokenHeader,
}

impl Profile {
    /// Returns the identity of the token that this profile and signer ask for.
    ///
    /// Two requests for which a server could issue different tokens have different identities. Returns `None` if the
    /// signer has no identity.
    ///
    /// A store keeps the identity next to the token, so it contains no secret: the values of claims, header members and
    /// parameters, and the endpoint's query, are replaced by a SHA-256 of the key's identity and the value.
    pub(crate) fn token_identity(&self, signer: &dyn Signer) -> Option<TokenIdentity> {
        // There is no `..`: whoever adds a field must decide whether tokens differ by it.
        let Self {
            endpoint,
            issuer,
            subject,
            audience,
            assertion_lifetime,
            nbf_leeway,
            iat_leeway,
            jti,
            claims,
            typ,
            header,
            algorithms: _,
            limits: _,
            scope,
            scope_placement,
            assertion_placement,
            parameters,
            placement,
            request_headers,
            encoded_secrets: _, // they are in a request header
            response,
            hints: _,
        } = self;
        let key = signer.identity()?;
        let salted_hash = |text: &str| hash(&[&key, text.as_bytes()]);
        let (kind, url) = match endpoint.kind() {
            EndpointKind::Token { url, .. } => ("token", url.as_str()),
            EndpointKind::Discovered { url, discovery } => (discovery.name, url.as_str()),
            EndpointKind::SelfSigned => ("none", ""),
        };
        let (url, query) = match url.split_once('?') {
            Some((url, query)) => (url, Some(salted_hash(query))),
            None => (url, None),
        };
        let issuer = match issuer {
            Issuer::Omit => json!(null),
            Issuer::Fixed(text) => json!(text),
            Issuer::WithFingerprint(text) => json!(["with fingerprint", text]),
        };
        let assertion = match assertion_placement {
            AssertionPlacement::Parameter(name) => json!(name),
            AssertionPlacement::Bearer => json!(["bearer"]),
        };
        let audience = match audience {
            Audience::Omit => json!(["none"]),
            Audience::Fixed(aud) => json!(["fixed", aud]),
            Audience::TokenEndpoint => json!(["token endpoint"]),
            Audience::Issuer => json!(["issuer"]),
        };
        let scope_placement = match scope_placement {
            ScopePlacement::Parameter => ["parameter", ""],
            ScopePlacement::ClaimArray(name) => ["claim, array", name],
            ScopePlacement::ClaimWithCommas(name) => ["claim, commas", name],
            ScopePlacement::ClaimWithSpaces(name) => ["claim, spaces", name],
        };
        let members = |members: &[(String, String)]| {
            let pairs = members.iter();
            let pairs = pairs.map(|(name, json)| [name.clone(), salted_hash(json)]);
            pairs.collect::<Vec<_>>()
        };
        let parameters = parameters.iter();
        let parameters = parameters.map(|parameter| {
            let kind = if parameter.is_json { "json" } else { "text" };
            let value = salted_hash(&parameter.value);
            [parameter.name.to_string(), kind.to_owned(), value]
        });
        let headers = request_headers.iter();
        let headers = headers.map(|(name, value)| [name.to_ascii_lowercase(), salted_hash(value)]);
        // If the assertion is the token, its times are the token's.
        let times = matches!(endpoint.kind(), EndpointKind::SelfSigned).then(|| {
            let seconds = |time: &Option<Duration>| time.map(|time| time.as_secs());
            let times = [assertion_lifetime, nbf_leeway, iat_leeway].map(seconds);
            json!([times, format!("{jti:?}")])
        });
        // In the order of the names in every program: serde_json's own objects have another one if its feature
        // `preserve_order` is on.
        let members = BTreeMap::from([
            ("endpoint", json!([kind, url, query])),
            ("key", json!([signer.algorithm().name(), hex(key)])),
            ("kid", json!(signer.key_id())),
            ("iss", issuer),
            ("sub", json!(subject)),
            ("aud", audience),
            ("claims", json!(members(claims))),
            ("typ", json!(typ)),
            ("header", json!(members(header))),
            ("parameters", json!(sorted(parameters.collect()))),
            ("assertion", assertion),
            ("placement", json!(placement.name())),
            ("request headers", json!(sorted(headers.collect()))),
            ("token", json!(response.token_member)),
            (
                "lifetime", // else a wrong setting would outlive its correction
                json!([
                    response.lifetime_member,
                    response.lifetime_unit.name,
                    response.reads_token_exp,
                    response.default_lifetime.as_secs(),
                ]),
            ),
            ("times", json!(times)),
            ("scope", json!(scope)),
            ("scope placement", json!(scope_placement)),
        ]);
        let text = serde_json::to_string(&members).unwrap_or_default();
        let name = hex(sha256(text.as_bytes()));
        let header = response.token_header.clone();
        Some(TokenIdentity { text, name, header })
    }
}

/// Sorts parameters or headers, whose order means nothing to servers.
fn sorted<T: Ord>(mut rows: Vec<T>) -> Vec<T> {
    rows.sort();
    rows
}

fn hash(parts: &[&[u8]]) -> String {
    hex(sha256(&Zeroizing::new(parts.concat())))
}

fn hex(bytes: [u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Endpoint, HmacKey, Jti};

    fn profile() -> Profile {
        let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
        Profile::jwt_bearer(endpoint, "issuer", Audience::TokenEndpoint).with_subject("alice")
    }
    fn key() -> HmacKey {
        HmacKey::new("secret").unwrap()
    }
    fn identity_text(profile: &Profile) -> String {
        profile.token_identity(&key()).unwrap().text
    }

    #[test]
    fn identity_differs_where_tokens_may_differ() {
        type Change = fn(Profile) -> Profile;
        let changes: &[Change] = &[
            |p| p,
            |p| p.with_subject("bob"),
            |p| Profile { subject: None, ..p },
            |p| Profile {
                issuer: Issuer::Fixed("other".into()),
                ..p
            },
            |p| Profile {
                endpoint: Endpoint::token("https://as.example.com/token/").unwrap(),
                ..p
            },
            |p| Profile {
                endpoint: Endpoint::issuer("https://as.example.com/token").unwrap(),
                ..p
            },
            |p| Profile {
                endpoint: Endpoint::metadata("https://as.example.com/token").unwrap(),
                ..p
            },
            |p| p.with_audience(Audience::Omit),
            |p| p.with_audience(Audience::Issuer),
            |p| p.with_audience(Audience::Fixed("https://as.example.com/token".into())),
            |p| p.with_scope("read"),
            |p| p.with_scope("read write"),
            |p| {
                p.with_scope("read")
                    .with_scope_placement(ScopePlacement::ClaimArray("scp".into()))
            },
            |p| {
                p.with_scope("read")
                    .with_scope_placement(ScopePlacement::ClaimArray("s".into()))
            },
            |p| {
                p.with_scope("read")
                    .with_scope_placement(ScopePlacement::ClaimWithCommas("scp".into()))
            },
            |p| {
                p.with_scope("read")
                    .with_scope_placement(ScopePlacement::ClaimWithSpaces("scp".into()))
            },
            |p| p.with_claim("tenant", 7),
            |p| p.with_claim("tenant", "7"),
            |p| p.with_claim("tenant7", ""),
            |p| p.with_header("tenant", 7),
            |p| p.with_typ("other"),
            |p| p.without_typ(),
            |p| p.with_parameter("resource", "https://a.example.com"),
            |p| p.with_parameter("resource", "https://b.example.com"),
            |p| p.with_placement(crate::Placement::JSON),
            |p| p.with_placement(crate::Placement::QUERY),
            |p| p.with_placement(crate::Placement::GET),
            |p| p.with_assertion_placement(AssertionPlacement::Parameter("auth_token".into())),
            |p| p.with_assertion_placement(AssertionPlacement::Bearer),
            |p| p.with_parameter("resource", serde_json::json!(["https://a.example.com"])),
            |p| p.with_request_header("Accept", "text/plain"),
            |p| p.with_request_header("Accept", "*/*"),
            |p| p.with_token_member("id_token"),
            // How long the token lives: a wrong setting must not outlive its correction.
            |p| p.with_expires_in("ttl"),
            |p| p.with_expires_in_milliseconds("ttl"),
            |p| p.with_expires_at("ttl"),
            |p| p.with_token_lifetime(Duration::from_secs(7)),
            |p| p.without_issuer(),
            |p| p.with_issuer("issuer2"),
            |p| p.with_issuer_and_fingerprint("issuer"),
            |p| Profile {
                endpoint: Endpoint::none(),
                ..p
            },
        ];
        let identities: Vec<_> = changes
            .iter()
            .map(|change| identity_text(&change(profile())))
            .collect();
        for (n, one) in identities.iter().enumerate() {
            assert_eq!(identities.iter().position(|other| other == one), Some(n));
        }
        let keys = [
            key().with_key_id("k1"),
            key().with_key_id("k2"),
            HmacKey::new("secret2").unwrap(),
        ];
        for key in keys {
            assert!(!identities.contains(&profile().token_identity(&key).unwrap().text));
        }
    }

    #[test]
    fn identity_ignores_times_jti_and_order() {
        let one = profile().with_claim("a", 1).with_claim("b", 2);
        let other = profile()
            .with_claim("b", 2)
            .with_claim("a", 1)
            .with_iat_leeway(Duration::from_secs(30))
            .with_assertion_lifetime(Duration::from_secs(90))
            .with_jti(Jti::Hex);
        assert_eq!(identity_text(&one), identity_text(&other));
    }

    #[test]
    fn identity_of_a_self_signed_token_has_its_times() {
        let own = || Profile::self_signed("issuer", Audience::Omit);
        let all = [
            own(),
            own().with_assertion_lifetime(Duration::from_secs(30)),
            own().with_nbf_leeway(Duration::ZERO),
            own().with_iat_leeway(Duration::from_secs(5)),
            own().with_jti(Jti::Uuid),
        ];
        let all = all.map(|profile| identity_text(&profile));
        for (n, one) in all.iter().enumerate() {
            assert_eq!(all.iter().position(|other| other == one), Some(n));
        }
    }

    #[test]
    fn identity_contains_no_secret_value() {
        let profile = profile()
            .with_parameter("client_secret", "hunter2-hunter2")
            .with_claim("pin", "hunter2-hunter2")
            .with_header("x", "hunter2-hunter2");
        let endpoint = Endpoint::token("https://as.example.com/token?key=hunter2-hunter2").unwrap();
        let identity = identity_text(&Profile {
            endpoint,
            ..profile
        });
        assert!(
            !identity.contains("hunter2") && identity.contains("client_secret"),
            "{identity}"
        );
        // (echo -n "jwt-bearer: identity of this secret" | openssl dgst -sha256 -hmac secret -binary;
        //  echo -n hunter2-hunter2) | sha256sum
        assert!(
            identity.contains("ffe33d08b9e587eaca99615d9f36efea85b5cdafce88669cf0f3a3d6296e42c9"),
            "{identity}"
        );
    }
}
