"""Vendors' clients for Python: `clients.py NAME INPUTS` prints what the client got or made, as a JSON object.

INPUTS is a JSON object, which tests/sdks/vendors.rs writes. Each function is one client. It sets what points the client
at the sandbox and leaves all else to the client's defaults. It returns the token that the client got, or, if the client
cannot be pointed there, the assertion that it made. REQUESTS_CA_BUNDLE and SSL_CERT_FILE name the root certificate.
"""

import gzip
import http.server
import json
import os
import sys
import threading
import time
from pathlib import Path

ROOT = os.environ.get("SSL_CERT_FILE")


def google_info(base, key, key_id, client_id):
    """What the client reads of Google's key file."""
    return {"client_email": client_id, "private_key": key, "private_key_id": key_id, "token_uri": base + "/token"}


def google_auth(base, key, key_id, client_id, scope, subject=None, **_):
    from google.auth.transport.requests import Request
    from google.oauth2.service_account import Credentials

    info = google_info(base, key, key_id, client_id)
    credentials = Credentials.from_service_account_info(info, scopes=[scope], subject=subject)
    credentials.refresh(Request())
    return {"token": credentials.token}


def google_auth_subject(user, **rest):
    return google_auth(subject=user, **rest)


def google_auth_id_token(base, key, key_id, client_id, target, **_):
    from google.auth.transport.requests import Request
    from google.oauth2.service_account import IDTokenCredentials

    info = google_info(base, key, key_id, client_id)
    credentials = IDTokenCredentials.from_service_account_info(info, target_audience=target)
    credentials.refresh(Request())
    return {"token": credentials.token}


def google_auth_self_signed(base, key, key_id, client_id, target, **_):
    from google.auth.jwt import Credentials

    info = google_info(base, key, key_id, client_id)
    credentials = Credentials.from_service_account_info(info, audience=target)
    credentials.refresh(None)  # it sends no request
    return {"assertion": credentials.token.decode(), "at": time.time()}


def msal(credential, scope, client_id, **authority):
    import msal

    app = msal.ConfidentialClientApplication(
        client_id,
        client_credential=credential,
        instance_discovery=False,  # with it the client asks Microsoft about the host
        **authority,
    )
    response = app.acquire_token_for_client([scope])
    if "access_token" not in response:
        raise SystemExit(str(response))
    return {"token": response["access_token"]}


def msal_ps256(base, key, tenant, certificate, **rest):
    credential = {"private_key": key, "public_certificate": certificate}
    return msal(credential, rest["scope"], rest["client_id"], authority=f"{base}/{tenant}")


def msal_rs256(base, key, tenant, sha1, **rest):
    credential = {"private_key": key, "thumbprint": sha1}
    return msal(credential, rest["scope"], rest["client_id"], authority=f"{base}/{tenant}")


def msal_oidc_authority(base, key, tenant, certificate, **rest):
    credential = {"private_key": key, "public_certificate": certificate}
    return msal(credential, rest["scope"], rest["client_id"], oidc_authority=f"{base}/{tenant}/v2.0")


def auth0_python(base, key, client_id, api, **_):
    from auth0.authentication import GetToken

    domain = base.removeprefix("https://")
    client = GetToken(domain, client_id, client_assertion_signing_key=key)
    return {"token": client.client_credentials(api)["access_token"]}


def boxsdk(base, key_file, key_id, client_id, secret, enterprise, **_):
    from boxsdk import JWTAuth
    from boxsdk.config import API

    API.OAUTH2_API_URL = base + "/oauth2"
    auth = JWTAuth(
        client_id=client_id,
        client_secret=secret,
        enterprise_id=enterprise,
        jwt_key_id=key_id,
        rsa_private_key_file_sys_path=key_file,
    )
    return {"token": auth.authenticate_instance()}


def docusign_esign(base, key, client_id, user, **_):
    import certifi

    certifi.where = lambda: ROOT  # the client takes no other root
    from docusign_esign import ApiClient

    client = ApiClient()
    host = base.removeprefix("https://")
    scopes = ["signature", "impersonation"]
    token = client.request_jwt_user_token(client_id, user, host, key.encode(), 3600, scopes)
    return {"token": token.access_token}


def hvac(base, role, assertion, **_):
    import hvac

    client = hvac.Client(url=base)
    return {"token": client.auth.jwt.jwt_login(role=role, jwt=assertion)["auth"]["client_token"]}


def snowflake_connector_python(key, account, user, **_):
    """The login request goes to a server of this script, since the sandbox has no sessions."""
    from cryptography.hazmat.primitives import serialization
    from snowflake import connector

    sent = []

    class Login(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            sent.append({"assertion": json.loads(body)["data"]["TOKEN"], "at": time.time()})
            answer = json.dumps({"data": None, "code": "390144", "message": "JWT token is invalid.", "success": False})
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Login)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    private = serialization.load_pem_private_key(key.encode(), None)
    der = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    here = {"protocol": "http", "host": "127.0.0.1", "port": server.server_address[1]}
    try:
        connector.connect(
            account=account, user=user, private_key=der, authenticator="SNOWFLAKE_JWT", login_timeout=5, **here
        )
    except connector.errors.Error as error:
        if not sent:
            raise
        print(f"refused, as it should be: {error}", file=sys.stderr)
    return sent[0]


def yandexcloud(key, key_id, client_id, **_):
    from yandexcloud._auth_fabric import get_auth_token_requester

    service_account_key = {"id": key_id, "service_account_id": client_id, "private_key": key}
    requester = get_auth_token_requester(service_account_key=service_account_key)
    return {"assertion": requester.get_token_request().jwt, "at": time.time()}


def pylti1p3(base, key, client_id, scope, **_):
    from cryptography.hazmat.primitives import serialization
    from pylti1p3.registration import Registration
    from pylti1p3.service_connector import ServiceConnector

    registration = Registration().set_client_id(client_id)
    registration.set_auth_token_url(base + "/login/oauth2/token")
    registration.set_tool_private_key(key)
    private = serialization.load_pem_private_key(key.encode(), None)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    registration.set_tool_public_key(public.decode())  # the client computes the kid from it
    return {"token": ServiceConnector(registration).get_access_token([scope])}


def line_bot_api(base):
    from linebot.v3.oauth import ApiClient, ChannelAccessToken, Configuration

    api = ChannelAccessToken(ApiClient(Configuration(ssl_ca_cert=ROOT)))
    api.line_base_path = base  # the client takes no other host from its configuration
    return api


def line_bot_sdk(base, assertion, **_):
    answer = line_bot_api(base).issue_stateless_channel_token_by_jwt_assertion(assertion)
    return {"token": answer.access_token}


def line_bot_sdk_v2_1(base, assertion, **_):
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    answer = line_bot_api(base).issue_channel_token_by_jwt("client_credentials", kind, assertion)
    return {"token": answer.access_token}


def smart_token(base, client_id, resource, **credential):
    import asyncio

    from cumulus_fhir_support import FhirClient

    async def token():
        async with FhirClient(base, [resource], smart_client_id=client_id, **credential) as client:
            return client._auth.sign_headers()["Authorization"].removeprefix("Bearer ")

    return {"token": asyncio.run(token())}


def cumulus_fhir_support(key, **rest):
    return smart_token(rest["base"], rest["client_id"], rest["resource"], smart_pem=key)


def cumulus_fhir_support_key_set(key, key_id, algorithm, **rest):
    from jwcrypto.jwk import JWK

    jwk = JWK.from_pem(key.encode()).export_private(as_dict=True)
    keys = {"keys": [jwk | {"alg": algorithm, "kid": key_id, "key_ops": ["sign"]}]}
    return smart_token(rest["base"], rest["client_id"], rest["resource"], smart_jwks=keys)


def okta(base, key, key_id, client_id, scope, **_):
    import asyncio

    from okta.client import Client
    from okta.oauth import OAuth

    settings = {
        "orgUrl": base,
        "authorizationMode": "PrivateKey",
        "clientId": client_id,
        "scopes": [scope],
        "privateKey": key,
        "kid": key_id,
    }

    async def token():
        executor = Client(settings).get_request_executor()
        return await OAuth(executor, {"client": settings}).get_oauth_token()

    token, _, error = asyncio.run(token())
    if error:
        raise SystemExit(str(error))
    return {"token": token}


def fds_sdk_utils(base, key, key_id, client_id, **_):
    """The metadata come from the sandbox, which takes no array as audience, so no token is asked for."""
    from fds.sdk.utils.authentication import ConfidentialClient
    from joserfc.jwk import RSAKey

    jwk = RSAKey.import_key(key).as_dict(private=True) | {"use": "sig", "alg": "RS256", "kid": key_id}
    metadata = base + "/.well-known/openid-configuration"
    config = {"clientId": client_id, "clientAuthType": "Confidential", "jwk": jwk, "wellKnownUri": metadata}
    client = ConfidentialClient(config=config, ssl_ca_cert=ROOT)
    return {"assertion": client._get_client_assertion_jws(), "at": time.time()}


def app_store_server_library(key, key_id, issuer, bundle, **_):
    from appstoreserverlibrary.api_client import AppStoreServerAPIClient
    from appstoreserverlibrary.models.Environment import Environment

    client = AppStoreServerAPIClient(key.encode(), key_id, issuer, bundle, Environment.SANDBOX)
    return {"assertion": client._generate_token(), "at": time.time()}


def zitadel_client(base, key, key_id, client_id, **_):
    from zitadel_client.auth.web_token_authenticator import WebTokenAuthenticator
    from zitadel_client.transport_options import TransportOptions

    options = TransportOptions(ca_cert_path=ROOT)
    builder = WebTokenAuthenticator.builder(base, client_id, key, transport_options=options).key_identifier(key_id)
    # The client drops the path of its host when it looks for the metadata.
    builder.open_id.token_endpoint = base + "/oauth/v2/token"
    return {"token": builder.build().get_auth_token()}


if __name__ == "__main__":
    name, inputs = sys.argv[1:]
    inputs = json.loads(inputs)
    inputs["key"] = Path(inputs["key_file"]).read_text()
    print(json.dumps(globals()[name](**inputs)))
