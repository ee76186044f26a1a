# google-auth with requests, as Google's documentation shows it. REQUESTS_CA_BUNDLE names a private root certificate.
import sys

import google.auth.transport.requests
from google.oauth2 import service_account

with open(sys.argv[1]) as file:
    key = file.read()
account = {"client_email": "client-1", "private_key": key, "token_uri": sys.argv[2]}
credentials = service_account.Credentials.from_service_account_info(account, scopes=["read"])
credentials.refresh(google.auth.transport.requests.Request())
print(credentials.token)
