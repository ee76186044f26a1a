"""Makes the tokens beside it, signed by PyJWT with keys of ../keys and ../jwk.

    pip install 'PyJWT[crypto]' && python tests/data/tokens/make.py

Made with PyJWT 2.15 and cryptography 48.
"""
import pathlib

import jwt
from cryptography.hazmat.primitives.serialization import load_der_private_key

HERE = pathlib.Path(__file__).resolve().parent
KEYS = HERE.parent / "keys"
CLAIMS = {"iss": "joe", "aud": "https://as.example", "nbf": 1300819080, "iat": 1300819080, "exp": 1300819380}

rsa = load_der_private_key((KEYS / "rsa-2048.der").read_bytes(), None)
ec = (KEYS / "ec-pkcs8.pem").read_bytes()
p384 = (HERE.parent / "jwk" / "p-384.pem").read_bytes()
ed25519 = (KEYS / "ed25519.pem").read_bytes()
secret = b"a secret of at least sixty-four bytes, as RFC 7518 requires for HS512"

for algorithm, key, header in [
    ("RS256", rsa, {"kid": "k1"}),
    ("RS512", rsa, {}),
    ("PS384", rsa, {}),
    ("ES256", ec, {"kid": "k2"}),
    ("ES384", p384, {}),
    ("EdDSA", ed25519, {}),
    ("HS256", secret, {}),
    ("HS512", secret, {}),
]:
    token = jwt.encode(CLAIMS, key, algorithm, header)
    (HERE / f"{algorithm.lower()}.jwt").write_text(token + "\n")
