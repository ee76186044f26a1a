# PyJWT with requests, as the servers' documentation shows it. REQUESTS_CA_BUNDLE names a private root
# certificate.
import sys
import time
import uuid

import jwt
import requests

with open(sys.argv[1]) as file:
    key = file.read()
url = sys.argv[2]
now = int(time.time())
claims = {"iss": "client-1", "sub": "client-1", "aud": url, "exp": now + 60, "iat": now, "jti": str(uuid.uuid4())}
parameters = {
    "grant_type": "client_credentials",
    "client_id": "client-1",
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "client_assertion": jwt.encode(claims, key, algorithm="RS256"),
}
response = requests.post(url, data=parameters, timeout=30)
response.raise_for_status()
print(response.json()["access_token"])
