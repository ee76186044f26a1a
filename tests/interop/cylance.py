"""An access token by the steps of Cylance's document, with PyJWT and requests.

The environment gives the values that the example leaves open, and the mistakes to make. Prints status and body.
"""

import json
import os
import uuid
from datetime import datetime, timedelta

import jwt
import requests

given = os.environ.get

timeout = 1800  # 30 minutes from now
now = datetime.utcnow() + timedelta(seconds=int(given("SHIFT", 0)))
epoch_time = int((now - datetime(1970, 1, 1)).total_seconds())
epoch_timeout = int((now + timedelta(seconds=timeout) - datetime(1970, 1, 1)).total_seconds())

claims = {
    "exp": epoch_timeout,
    "iat": epoch_time,
    "iss": "http://cylance.com",
    "sub": given("CLIENT"),
    "tid": given("TENANT"),
    "jti": given("JTI", str(uuid.uuid4())),
}
if "SCOPE" in os.environ:
    claims["scp"] = given("SCOPE").split(" ")
if "AUDIENCE" in os.environ:
    claims["aud"] = given("AUDIENCE")

encoded = jwt.encode(claims, given("SECRET"), algorithm=given("ALG", "HS256"))
payload = {"auth_token": given("ASSERTION", encoded)}
headers = {"Content-Type": "application/json; charset=utf-8"}
resp = requests.post(given("URL"), headers=headers, data=json.dumps(payload))
print(resp.status_code)
print(resp.text)
