"""An access token by the steps of Marketing Cloud Intelligence's document, with PyPI's jwt 1.3.1 and requests.

The `aud` has no stray quote, which the document prints. The environment gives the values that the example leaves
open, and the mistakes to make. Prints status and body.
"""

import os
import time
import uuid

import jwt
import requests

given = os.environ.get

# Step 1
token_endpoint = requests.get(given("DISCOVERY_ENDPOINT")).json()["token_endpoint"]

# Step 2
service_account_id = given("CLIENT")
with open(given("KEY"), "rb") as file:
    private_key_jwk = jwt.jwk_from_pem(file.read())
alg = given("ALG", "RS256")
if alg == "HS256":  # the public key as the secret
    with open(given("PUBLIC_KEY"), "rb") as file:
        private_key_jwk = jwt.jwk.OctetJWK(file.read())

now = int(time.time()) + int(given("SHIFT", 0))
payload = {
    "iss": service_account_id,
    "aud": given("AUDIENCE", "https://idp.intelligence.salesforce.com"),
    "sub": service_account_id,
    "iat": now,
    "jti": given("JTI", str(uuid.uuid4()).replace("-", "")),
}
if "LIFETIME" in os.environ:  # the document has no exp
    payload["exp"] = now + int(given("LIFETIME"))
jwt_object = jwt.JWT()
jwt_token = jwt_object.encode(payload, private_key_jwk, alg=alg)

# Step 3
parameters = {
    "grant_type": "client_credentials",
    "client_assertion": given("ASSERTION", jwt_token),
    "client_id": service_account_id,
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
}
resp = requests.post(token_endpoint, **{given("PLACEMENT"): parameters})
print(resp.status_code)
print(resp.text)
