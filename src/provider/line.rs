//! LINE Messaging API: stateless channel access tokens (v3), and channel access tokens v2.1.
//!
//! - Key and assertion: <https://developers.line.biz/en/docs/messaging-api/generate-json-web-token/>
//! - Kinds of tokens: <https://developers.line.biz/en/docs/basics/channel-access-token/>
//! - Requests: <https://developers.line.biz/en/reference/messaging-api/#channel-access-token>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{Input, InputValue, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::hint::{Hint, RATE_LIMITED};
use crate::profile::{Audience, Jti, Limits, Profile};
use crate::signer::Algorithm;

const STATELESS: &str = "https://api.line.me/oauth2/v3/token";
const V2_1: &str = "https://api.line.me/oauth2/v2.1/token";
const AUDIENCE: &str = "https://api.line.me/";

/// The longest lifetime of a token of v2.1, in seconds: 30 days.
const MAX_TOKEN_EXP: u64 = 2_592_000;

impl Profile {
    /// Returns a profile for a stateless channel access token (v3), which lives 15 minutes.
    ///
    /// Any number of them may live at once, and none can be revoked. The key id is the one that LINE's console shows
    /// after the public key is registered; the key is a 2048-bit RSA key.
    pub fn line(channel_id: impl Into<String>) -> Self {
        Self {
            jti: Jti::Omit,
            algorithms: Cow::Borrowed(&[Algorithm::Rs256]),
            limits: &LIMITS,
            hints: HINTS,
            ..Self::client_credentials(
                Endpoint::documented(STATELESS),
                channel_id,
                Audience::Fixed(AUDIENCE.to_owned()),
            )
        }
        .without_parameter("client_id")
    }

    /// Returns a profile for a channel access token v2.1, whose lifetime is the claim `token_exp`, at most 30 days.
    ///
    /// A channel can have a limited number of them, 30 as far as we know (not verified against LINE's document). Short
    /// processes use them up, unless they share one through a token store.
    pub fn line_v2_1(channel_id: impl Into<String>, token_exp: Duration) -> Self {
        Self::line(channel_id)
            .with_endpoint(Endpoint::documented(V2_1))
            .with_claim("token_exp", token_exp.as_secs())
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "line",
    about: "LINE Messaging API: a channel access token.",
    documents: &["https://developers.line.biz/en/docs/messaging-api/generate-json-web-token/"],
    inputs: &[
        Input::required("channel-id", "ID", "The channel ID."),
        Input::optional(
            "token-exp",
            InputValue::Text("SECONDS"),
            "Asks for a token v2.1 that lives so long, at most 2592000 (30 days). Without it the token is a stateless one.",
        ),
    ],
    construct: |inputs| {
        let channel_id = inputs.text("channel-id");
        let Some(seconds) = inputs.get("token-exp") else {
            return Ok(Profile::line(channel_id));
        };
        let seconds = seconds.parse();
        let seconds =
            seconds.map_err(|_| Error::config("token-exp is not a whole number of seconds"))?;
        Ok(Profile::line_v2_1(channel_id, Duration::from_secs(seconds)))
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    exp_after_now: Duration::from_secs(1800),
    needs_key_id: true,
    rsa_bits: 2048,
    check: |profile| {
        let is_accepted = |json: &str| {
            let seconds = json.parse();
            seconds.is_ok_and(|seconds: u64| (1..=MAX_TOKEN_EXP).contains(&seconds))
        };
        let mut claims = profile.claims.iter();
        match claims.find(|(name, _)| name == "token_exp") {
            Some((_, json)) if !is_accepted(json) => {
                Err("LINE's tokens live 30 days at most: set token_exp to 1 to 2592000 seconds")
            }
            _ => Ok(()),
        }
    },
    ..Limits::NONE
};

/// From users' reports: LINE documents no causes.
const HINTS: &[Hint] = &[
    Hint::code("429").advice(RATE_LIMITED),
    Hint::words("limit")
        .advice("the channel has all the tokens v2.1 that may live at once: ask for stateless ones, share one by a token store, or shorten token_exp"),
    Hint::code("invalid_client")
        .advice("the key id or the key is of another channel: compare the key id with LINE's console; check this machine's clock too"),
    Hint::code("invalid_request")
        .advice("if others get tokens, the channel may have all the tokens v2.1 that may live at once; else check the channel id"),
    Hint::code("unsupported_grant_type")
        .advice("take out what was added to the request"),
    Hint::code("400")
        .advice("check key id and channel id; the channel may also have all the tokens v2.1 that may live at once"),
];
