//! <https://learn.microsoft.com/en-us/entra/identity-platform/certificate-credentials>,
//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>

use jwt_bearer::ErrorKind::Denied;
use jwt_bearer::{Algorithm, Certificate, Key};

use super::*;

const CLIENT: &str = "11112222-bbbb-3333-cccc-4444dddd5555";
const TOKEN_ENDPOINT: &str =
    "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token";
const SCOPE: &str = "https://graph.microsoft.com/.default";

fn certificate() -> Certificate {
    Certificate::read(include_str!("../data/certificates/leaf.pem")).unwrap()
}

fn entra(further: &[(&str, &str)]) -> Result<Profile, Error> {
    let inputs = [
        ("tenant", "contoso.onmicrosoft.com"),
        ("client-id", CLIENT),
        ("scope", SCOPE),
    ];
    provider("entra").profile(Inputs {
        values: &[&inputs, further].concat(),
        certificate: Some(&certificate()),
    })
}

fn ps256() -> RsaKey {
    rsa_key().with_algorithm(RsaAlgorithm::PS256)
}

#[test]
fn entra_token_is_asked_for_as_documented() {
    let profile = entra(&[]).unwrap();
    assert_signed(
        &profile,
        &ps256(),
        // openssl x509 -in leaf.pem -outform DER | openssl dgst -sha256 -binary | basenc --base64url
        &json!({"typ": "JWT", "alg": "PS256", "x5t#S256": "WNqEHZZHcBpgh2tRohg5Dd1WAWgcXcvpqKdg9NhUyNU"}),
        &json!({
            "iss": CLIENT, "sub": CLIENT, "aud": TOKEN_ENDPOINT, "exp": NOW + 300, "iat": NOW, "jti": "uuid",
        }),
    );
    assert_eq!(
        request(&profile, &ps256()),
        "POST https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=client_credentials&client_id=11112222-bbbb-3333-cccc-4444dddd5555&\
         client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&\
         scope=https%3A%2F%2Fgraph.microsoft.com%2F.default&client_assertion={jwt}"
    );
    let body = json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": "eyJ0"});
    let token = read(&profile, &ps256(), Response::new(200, body.to_string())).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("eyJ0", 3599));
}

#[test]
fn entra_takes_ps256_before_rs256() {
    let profile = entra(&[]).unwrap();
    let names = profile.algorithms().iter().map(|name| name.name());
    assert!(names.eq(["PS256", "RS256"]));
    let signed = profile.assertion(&rsa_key(), now()).unwrap();
    assert_eq!(decoded(signed.secret()).header["alg"], "RS256");
}

/// A key without a chosen algorithm signs what the server prefers; a key with one keeps it.
#[test]
fn entra_key_signs_ps256_unless_it_was_made_for_another_accepted_algorithm() {
    let accepted = entra(&[]).unwrap().algorithms().to_vec();
    let key = || Key::read(pem()).unwrap();
    let signs = |key: Key| key.with_first_of(&accepted).unwrap().algorithm();
    assert_eq!(signs(key()), Algorithm::Ps256);
    let ps512 = key().with_algorithm(Algorithm::Ps512).unwrap();
    assert_eq!(signs(ps512), Algorithm::Ps256); // the server does not accept PS512
    let ps384 = key().with_algorithm(Algorithm::Ps384).unwrap();
    let both = [Algorithm::Rs256, Algorithm::Ps384];
    assert_eq!(
        ps384.with_first_of(&both).unwrap().algorithm(),
        Algorithm::Ps384
    );
}

#[test]
fn entra_has_a_host_in_each_cloud() {
    for (further, host) in [
        (("cloud", "global"), "login.microsoftonline.com"),
        (("cloud", "us-government"), "login.microsoftonline.us"),
        (("cloud", "china"), "login.partner.microsoftonline.cn"),
        (
            ("authority", "https://login.chinacloudapi.cn/"),
            "login.chinacloudapi.cn",
        ),
    ] {
        let text = request(&entra(&[further]).unwrap(), &ps256());
        let url = format!("POST https://{host}/contoso.onmicrosoft.com/oauth2/v2.0/token\n");
        assert!(text.starts_with(&url), "{text}");
    }
}

#[test]
fn entra_limits_are_refused() {
    let inputs = [("tenant", "t"), ("client-id", CLIENT), ("scope", SCOPE)];
    assert_eq!(
        refused(profile("entra", &inputs)),
        "Entra finds the key by its certificate: give the certificate, which openssl pkcs12 -nokeys -clcerts exports from a PKCS#12 store"
    );
    for tenant in ["common", "organizations", "consumers", "", "t/v2.0"] {
        let made = Profile::entra(TOKEN_ENDPOINT, tenant, CLIENT, &certificate());
        assert_eq!(
            refused(made),
            "an app has one tenant: give the directory's id, or one of its domains, as tenant"
        );
    }
    let profile = Profile::entra(
        "https://login.microsoftonline.com",
        "t",
        CLIENT,
        &certificate(),
    )
    .unwrap();
    for profile in [
        profile.clone(),
        profile
            .clone()
            .with_scope("https://graph.microsoft.com/User.Read"),
        profile
            .clone()
            .with_scope("https://graph.microsoft.com/.default offline_access"),
        profile
            .clone()
            .with_scope("https://a.example.com/.default https://b.example.com/.default"),
    ] {
        assert_eq!(
            refused(profile.assertion(&ps256(), now())),
            "Entra gives an app all its permissions at one resource: set the scope to the resource's address and \
             /.default, such as https://graph.microsoft.com/.default"
        );
    }
    let on_behalf_of = profile
        .without_parameter("grant_type")
        .with_parameter("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
        .with_scope("https://graph.microsoft.com/User.Read");
    assert!(on_behalf_of.assertion(&ps256(), now()).is_ok());
    let profile = entra(&[]).unwrap();
    let keys: [&dyn Signer; 2] = [&ec_key(), &rs384(rsa_key())];
    for key in keys {
        assert!(
            refused(profile.assertion(key, now())).contains("this server accepts PS256, RS256")
        );
    }
}

#[test]
fn entra_errors_are_explained() {
    let error = |code: &str, text: &str| {
        json!({
            "error": code, "error_description": format!("{text} Trace ID: 0000aaaa-11bb-cccc-dd22-eeeeee333333"),
            "error_codes": [0], "timestamp": "2023-11-14 22:13:20Z",
            "trace_id": "0000aaaa-11bb-cccc-dd22-eeeeee333333",
        })
    };
    assert_errors(
        &entra(&[]).unwrap(),
        &ps256(),
        Denied,
        &[
            (
                401,
                error(
                    "invalid_client",
                    "AADSTS700027: The certificate with identifier used to sign the client assertion is not registered on application.",
                ),
                "upload this certificate",
            ),
            (
                401,
                error(
                    "invalid_client",
                    "AADSTS700024: Client assertion is not within its valid time range.",
                ),
                "clock",
            ),
            (
                401,
                error(
                    "invalid_client",
                    "AADSTS7000214: Certificate has been revoked.",
                ),
                "revoked",
            ),
            (
                401,
                error(
                    "invalid_client",
                    "AADSTS7000277: Certificate has been revoked.",
                ),
                "revoked",
            ),
            (
                401,
                error(
                    "invalid_client",
                    "AADSTS1000502: The provided certificate is not within its specified validity window.",
                ),
                "not valid now",
            ),
            (
                400,
                error(
                    "unauthorized_client",
                    "AADSTS700016: Application with identifier was not found in the directory 'Contoso'.",
                ),
                "no such app",
            ),
            (
                400,
                error(
                    "invalid_scope",
                    "AADSTS70011: The provided request must include a 'scope' input parameter.",
                ),
                "/.default",
            ),
            (
                400,
                error(
                    "invalid_scope",
                    "AADSTS1002012: The provided value for scope is not valid.",
                ),
                "/.default",
            ),
            (
                400,
                error(
                    "invalid_request",
                    "AADSTS90002: Tenant 'contoso' not found.",
                ),
                "US Government",
            ),
            (
                400,
                error(
                    "invalid_resource",
                    "AADSTS500011: The resource principal was not found in the tenant.",
                ),
                "resource",
            ),
            (
                400,
                error(
                    "access_denied",
                    "AADSTS53003: Access has been blocked by Conditional Access policies.",
                ),
                "policy",
            ),
            (
                401,
                error("invalid_client", "AADSTS999999: Unknown."),
                "this certificate",
            ),
            (
                400,
                error("unauthorized_client", "AADSTS999999: Unknown."),
                "allowed",
            ),
            (
                400,
                error("invalid_scope", "AADSTS999999: Unknown."),
                "/.default",
            ),
            (
                400,
                error("invalid_resource", "AADSTS999999: Unknown."),
                "resource",
            ),
            (
                400,
                error("invalid_request", "AADSTS999999: Unknown."),
                "description",
            ),
        ],
    );
}
