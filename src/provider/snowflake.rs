//! Snowflake with a key pair: a token that the key signs itself, and its exchange for a container service's token.
//!
//! - SQL API and other APIs: <https://docs.snowflake.com/en/developer-guide/sql-api/authenticating>
//! - Container services: <https://docs.snowflake.com/en/developer-guide/snowpark-container-services/service-network-communications>
//! - Errors: <https://docs.snowflake.com/en/user-guide/key-pair-auth-troubleshooting>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{Input, InputValue, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::hint::Hint;
use crate::profile::response::ResponseMap;
use crate::profile::{Audience, Issuer, JWT_BEARER, Limits, Profile, text_parameter};
use crate::signer::Algorithm;

/// The header that an API call needs in addition to the token of [`Profile::snowflake`], and its value.
pub const TOKEN_TYPE: (&str, &str) = ("X-Snowflake-Authorization-Token-Type", "KEYPAIR_JWT");

/// The domain of all accounts, except in China.
const DOMAIN: &str = ".snowflakecomputing.com";
const DOMAIN_IN_CHINA: &str = ".snowflakecomputing.cn";

impl Profile {
    /// Returns a profile for a token that a Snowflake user's key signs: nothing is exchanged.
    ///
    /// `account` is the account identifier, such as `myorg-account123` or `xy12345.us-east-1`; the region is left out
    /// of the token. `user` is the user's login name. Both are written in upper case. The claim `iss` ends with the
    /// fingerprint of the key.
    ///
    /// An API call needs the header [`TOKEN_TYPE`](crate::provider::snowflake::TOKEN_TYPE) in addition to the token.
    /// `exp` is ten minutes after now, at most an hour after `iat`.
    pub fn snowflake(account: impl AsRef<str>, user: impl AsRef<str>) -> Self {
        let name = format!("{}.{}", account_name(account.as_ref()), user.as_ref()).to_uppercase();
        Self {
            issuer: Issuer::WithFingerprint(format!("{name}.SHA256:")),
            subject: Some(name),
            algorithms: Cow::Borrowed(&[Algorithm::Rs256]),
            limits: &LIMITS,
            hints: HINTS,
            ..Self::self_signed("", Audience::Omit)
        }
    }

    /// Returns a profile for a token of a service in Snowpark Container Services.
    ///
    /// `account` and `user` are those of [`snowflake`](Self::snowflake); `service` is the host of the service's public
    /// endpoint, which becomes the scope. A role is set in the scope too: `with_scope("session:role:ROLE HOST")`.
    ///
    /// The response is the token itself, and names no lifetime, so five minutes are assumed. The token's header is
    /// `Authorization: Snowflake Token="..."`.
    ///
    /// The server is `https://ACCOUNT.snowflakecomputing.com`, or the host that is given as `account` if that is one of
    /// `snowflakecomputing.com` or, in China, `snowflakecomputing.cn`.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the account does not form a valid host name, or is an address of
    /// Snowsight.
    pub fn snowflake_exchange(
        account: impl AsRef<str>,
        user: impl AsRef<str>,
        service: impl Into<String>,
    ) -> Result<Self, Error> {
        check_account(account.as_ref())?;
        let account_host = host(account.as_ref()).to_lowercase().replace('_', "-"); // no host name has an underscore
        let is_host = [DOMAIN, DOMAIN_IN_CHINA].map(|domain| account_host.ends_with(domain));
        let domain = if is_host.contains(&true) { "" } else { DOMAIN };
        let url = format!("https://{account_host}{domain}");
        let profile = Self {
            endpoint: Endpoint::at_path("account", &url, "/oauth/token")?,
            assertion_lifetime: Some(Duration::from_secs(60)),
            parameters: vec![text_parameter("grant_type", JWT_BEARER)],
            scope: Some(service.into()),
            response: ResponseMap {
                error_member: Cow::Borrowed("code"),
                error_description_member: Some(Cow::Borrowed("message")),
                ..ResponseMap::default()
            }
            .into(),
            ..Self::snowflake(account, user)
        };
        profile
            .with_text_response()
            .with_token_header("Authorization: Snowflake Token=\"{}\"")
    }
}

/// Snowsight, the web interface of all accounts, has one host for them.
fn check_account(account: &str) -> Result<(), Error> {
    match host(account)
        .to_ascii_lowercase()
        .ends_with(".snowflake.com")
    {
        true => Err(Error::config(
            "account is an address of Snowsight: give the account identifier, such as myorg-account123",
        )),
        false => Ok(()),
    }
}

/// Returns the host of an address as people copy it from a browser, and any other text unchanged.
fn host(identifier: &str) -> &str {
    let identifier = identifier.strip_prefix("https://").unwrap_or(identifier);
    identifier.split('/').next().unwrap_or_default()
}

/// Returns an account identifier as a token names it: without region and cloud, and without the part after the hyphen
/// of a replicated account.
fn account_name(identifier: &str) -> &str {
    let identifier = host(identifier);
    let separator = match identifier.contains(".global") {
        true => '-',
        false => '.',
    };
    let name = identifier.split_once(separator).map(|(name, _)| name);
    name.unwrap_or(identifier)
}

const ACCOUNT: Input = Input::required(
    "account",
    "ID",
    "The account identifier, such as myorg-account123 or xy12345.us-east-1.",
);
const USER: Input = Input::required("user", "NAME", "The user's login name.");

pub(super) const PROVIDER: Provider = Provider {
    name: "snowflake",
    about: "Snowflake: a token that the user's key signs itself, for the SQL API and others.",
    documents: &["https://docs.snowflake.com/en/developer-guide/sql-api/authenticating"],
    inputs: &[ACCOUNT, USER],
    construct: |inputs| {
        let (account, user) = (inputs.text("account"), inputs.text("user"));
        if account_name(account).is_empty() || user.is_empty() {
            return Err(Error::config(
                "account and user are needed: neither may be empty",
            ));
        }
        check_account(account)?;
        Ok(Profile::snowflake(account, user))
    },
    ..Provider::NEW
};

pub(super) const EXCHANGE: Provider = Provider {
    name: "snowflake-exchange",
    about: "Snowflake: a token of a service in Snowpark Container Services.",
    documents: &[
        "https://docs.snowflake.com/en/developer-guide/snowpark-container-services/service-network-communications",
    ],
    inputs: &[
        ACCOUNT,
        USER,
        Input::required(
            "endpoint",
            "HOST",
            "The host of the service's public endpoint, which ends with snowflakecomputing.app.",
        ),
        Input::optional(
            "role",
            InputValue::Text("ROLE"),
            "The role of the session, instead of the user's default.",
        ),
    ],
    construct: |inputs| {
        let (account, service) = (inputs.text("account"), inputs.text("endpoint"));
        let profile = Profile::snowflake_exchange(account, inputs.text("user"), service)?;
        Ok(match inputs.get("role") {
            Some(role) => profile.with_scope(format!("session:role:{role} {service}")),
            None => profile,
        })
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    exp_after_iat: Duration::from_secs(3600),
    ..Limits::NONE
};

const COMPARE: &str = "check account, user and this machine's clock, and compare RSA_PUBLIC_KEY_FP of DESC USER with the key's fingerprint";
const CHECK: &str =
    "check account, user and this machine's clock, and that the user has this public key";
const SET_KEY: &str = "set this public key at the user: compare RSA_PUBLIC_KEY_FP of DESC USER with the key's fingerprint";

/// From the server's list of errors. Most answers have only the first number; an administrator finds the other one with
/// `SYSTEM$GET_LOGIN_FAILURE_DETAILS`.
const HINTS: &[Hint] = &[
    Hint::code("394300")
        .advice("check the user: it is the login name, which may differ from the name"),
    Hint::code("394302").advice(
        "check this machine's clock: the assertion came more than a minute after it was signed",
    ),
    Hint::code("394303").advice("check this machine's clock"),
    Hint::code("394304").advice(SET_KEY),
    Hint::code("394306").advice(SET_KEY),
    Hint::code("394307").advice("check the account: the assertion names another one than the URL"),
    Hint::code("390144").advice(COMPARE),
    Hint::words("jwt token is invalid").advice(COMPARE),
    Hint::code("invalid_client").advice(CHECK),
    Hint::code("invalid_grant").advice(CHECK),
    Hint::code("invalid_scope")
        .advice("check the host of the service's endpoint, and that the user may use the role"),
];
