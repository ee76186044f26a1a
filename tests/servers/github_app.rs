//! <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>,
//! <https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app>

use jwt_bearer::ErrorKind::{Denied, Unavailable};

use super::*;

const INPUTS: [(&str, &str); 2] = [
    ("client-id", "Iv23liA1b2C3d4E5f6G7"),
    ("installation-id", "4242"),
];

fn github() -> Profile {
    profile("github-app", &INPUTS).unwrap()
}

fn with(name: &'static str, value: &'static str) -> Result<Profile, Error> {
    let [client_id, installation] = INPUTS;
    profile("github-app", &[client_id, installation, (name, value)])
}

#[test]
fn github_token_is_asked_for_as_documented() {
    assert_signed(
        &github(),
        &rsa_key(),
        &json!({"typ": "JWT", "alg": "RS256"}),
        &json!({"iss": "Iv23liA1b2C3d4E5f6G7", "iat": NOW - 60, "exp": NOW + 540}),
    );
    assert_eq!(
        request(&github(), &rsa_key()),
        "POST https://api.github.com/app/installations/4242/access_tokens\n\
         Accept: application/vnd.github+json\n\
         X-GitHub-Api-Version: 2022-11-28\n\
         Authorization: Bearer {jwt}\n\n"
    );
    // date -u -d 2023-11-14T23:13:20Z +%s
    let body = json!({
        "token": "ghs_t", "expires_at": "2023-11-14T23:13:20Z", "permissions": {"contents": "read"},
        "repository_selection": "all",
    });
    let response = Response::new(201, body.to_string());
    let token = read(&github(), &rsa_key(), response).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("ghs_t", 3600));
    assert_eq!(token.authorization(), "Bearer ghs_t");
    assert_eq!(token.get("repository_selection"), Some("all"));
}

#[test]
fn github_token_is_narrowed_at_an_enterprise_server() {
    let [client_id, installation] = INPUTS;
    let inputs = [
        client_id,
        installation,
        ("api", "https://github.example.com/api/v3/"),
        ("repositories", "one two"),
        ("permissions", "issues=write contents=read"),
    ];
    let text = request(&profile("github-app", &inputs).unwrap(), &rsa_key());
    let (head, body) = text.split_once("\n\n").unwrap();
    assert!(head.starts_with(
        "POST https://github.example.com/api/v3/app/installations/4242/access_tokens\n"
    ));
    assert_eq!(
        serde_json::from_str::<Value>(body).unwrap(),
        json!({"repositories": ["one", "two"], "permissions": {"contents": "read", "issues": "write"}})
    );
}

#[test]
fn github_limits_are_refused() {
    let long = github().with_assertion_lifetime(Duration::from_secs(601));
    assert_eq!(
        refused(long.assertion(&rsa_key(), now())),
        "exp lies further ahead than this server accepts"
    );
    let keys: [&dyn Signer; 2] = [&rs384(rsa_key()), &ec_key()];
    for key in keys {
        assert!(refused(github().assertion(key, now())).contains("this server accepts RS256"));
    }
    assert_eq!(
        refused(with("permissions", "contents")),
        "permissions: expected NAME=LEVEL, such as contents=read"
    );
    for id in ["", "4242/access_tokens", "octo-org"] {
        let made = Profile::github_app("https://api.github.com", "Iv23liA1b2C3d4E5f6G7", id);
        assert!(refused(made).starts_with("the installation's id is a number"));
    }
    assert!(refused(with("api", "http://api.github.com")).contains("is not https"));
}

#[test]
fn github_errors_are_explained() {
    let error =
        |text: &str| json!({"message": text, "documentation_url": "https://docs.github.com/rest"});
    assert_errors(
        &github(),
        &rsa_key(),
        Denied,
        &[
            (
                401,
                error("A JSON web token could not be decoded"),
                "this App's private keys",
            ),
            (
                401,
                error("'Expiration time' claim ('exp') is too far in the future"),
                "at most ten minutes",
            ),
            (
                401,
                error(
                    "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
                ),
                "has expired",
            ),
            (
                401,
                error(
                    "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
                ),
                "whole number",
            ),
            (
                401,
                error("Integration must generate a public key"),
                "make one in its settings",
            ),
            (401, error("Bad credentials"), "client id"),
            (
                404,
                error("Integration not found"),
                "GET /app/installations",
            ),
            (404, error("Not Found"), "GET /app/installations"),
            (
                403,
                error("This installation has been suspended"),
                "suspended",
            ),
            (
                422,
                error("The permissions requested are not granted to this installation."),
                "accepted",
            ),
        ],
    );
    assert_errors(
        &github(),
        &rsa_key(),
        Unavailable,
        &[
            (
                403,
                error("API rate limit exceeded for installation."),
                "wait",
            ),
            (
                403,
                error("You have exceeded a secondary rate limit."),
                "wait",
            ),
            (
                429,
                error("You have exceeded a secondary rate limit."),
                "wait",
            ),
        ],
    );
}
