# MSAL, as Microsoft's documentation shows it. It reads the metadata of the server first, and wants https.
# REQUESTS_CA_BUNDLE names a private root certificate.
import sys

import msal

with open(sys.argv[1]) as file:
    key = file.read()
server = sys.argv[2].removesuffix("token") + "tenant"
# The thumbprint is that of a certificate, which the server here does not look at.
credential = {"private_key": key, "thumbprint": "0123456789ABCDEF0123456789ABCDEF01234567"}
application = msal.ConfidentialClientApplication("client-1", client_credential=credential, oidc_authority=server)
response = application.acquire_token_for_client(scopes=["read"])
print(response["access_token"] if "access_token" in response else response)
