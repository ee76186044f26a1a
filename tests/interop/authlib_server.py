"""Authlib as an authorization server on loopback: `authlib_server.py NAME=PORT KEYS`.

Authlib does all checks. This file is the storage that Authlib needs, and the record of used assertions, which its
grant does not have. PORT 0 selects a free port. The program prints NAME=URL and `ready`, and exits when its standard
input ends.
"""

import os
import socket
import sys
import threading
from pathlib import Path

import waitress
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import rfc6749, rfc7523, rfc8414
from flask import Flask, jsonify
from joserfc.jwk import KeySet, OctKey, RSAKey

name, port = sys.argv[1].split("=")
keys = Path(sys.argv[2])
listener = socket.create_server(("127.0.0.1", int(port)))
issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
token_endpoint = issuer + "/token"

CLIENT_CREDENTIALS, JWT_BEARER = "client_credentials", rfc7523.JWTBearerGrant.GRANT_TYPE
SCOPES = ("read", "write", "admin")
CLIENT_SCOPES = ("read", "write")
USERS = ("alice",)
key_set = KeySet([RSAKey.import_key((keys / "client.pub.pem").read_text(), {"kid": "client-key-1"})])
secret = OctKey.import_key((keys / "secret.txt").read_text())


class Client(rfc6749.ClientMixin):
    def __init__(self, method, grant, key):
        self.method, self.grant, self.key = method, grant, key

    def get_client_id(self):
        return next(name for name, client in clients.items() if client is self)

    def check_endpoint_auth_method(self, method, endpoint):
        return method == self.method

    def check_grant_type(self, grant):
        return grant == self.grant

    def get_allowed_scope(self, scope):
        return " ".join(s for s in (scope or "").split() if s in CLIENT_SCOPES)


clients = {
    "pkjwt": Client("client_assertion_jwt", CLIENT_CREDENTIALS, key_set),
    "csjwt": Client("client_assertion_jwt", CLIENT_CREDENTIALS, secret),
    "bearer": Client("none", JWT_BEARER, key_set),
}
used_jtis = set()


def is_new(claims):
    """Returns whether this issuer uses this `jti` for the first time."""
    key = (claims["iss"], claims["jti"])
    if key in used_jtis:
        return False
    used_jtis.add(key)
    return True


class ClientAssertion(rfc7523.JWTBearerClientAssertion):
    def get_audiences(self):
        return [issuer, token_endpoint]

    def validate_jti(self, claims, jti):
        return is_new(claims)

    def resolve_client_public_key(self, client):
        return client.key


class ClientCredentials(rfc6749.ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_assertion_jwt"]


class JwtBearer(rfc7523.JWTBearerGrant):
    def get_audiences(self):
        return [issuer, token_endpoint]

    def resolve_issuer_client(self, issuer):
        return clients.get(issuer)

    def resolve_client_public_key(self, client):
        return client.key

    def authenticate_user(self, subject):
        return subject if subject in USERS else None

    def has_granted_permission(self, client, user):
        return True

    def verify_claims(self, claims):
        super().verify_claims(claims)
        # The error texts that Authlib has for a client assertion.
        if "jti" not in claims:
            raise rfc6749.InvalidGrantError(description="Missing JWT ID.")
        if not is_new(claims):
            raise rfc6749.InvalidGrantError(description="JWT ID is used before.")


app = Flask(__name__)
app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {CLIENT_CREDENTIALS: 300, JWT_BEARER: 300}
server = AuthorizationServer(app, query_client=clients.get, save_token=lambda token, request: None)
server.scopes_supported = SCOPES
server.register_grant(ClientCredentials)
server.register_grant(JwtBearer)
server.register_client_auth_method("client_assertion_jwt", ClientAssertion())


@app.get("/.well-known/oauth-authorization-server")
@app.get("/.well-known/openid-configuration")
def metadata():
    document = rfc8414.AuthorizationServerMetadata(
        issuer=issuer,
        token_endpoint=token_endpoint,
        grant_types_supported=[CLIENT_CREDENTIALS, JWT_BEARER],
        response_types_supported=[],
        token_endpoint_auth_methods_supported=["private_key_jwt", "client_secret_jwt"],
        token_endpoint_auth_signing_alg_values_supported=["RS256", "HS256"],
        scopes_supported=list(SCOPES),
    )
    return jsonify(document)


@app.post("/token")
def token():
    return server.create_token_response()


def exit_with_standard_input():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=exit_with_standard_input, daemon=True).start()
print(f"{name}={issuer}\nready", flush=True)
waitress.serve(app, sockets=[listener], threads=8)
