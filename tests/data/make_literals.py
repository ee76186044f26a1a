"""Makes *.jwt beside it: assertions in this crate's member order, signed by PyJWT.

    pip install PyJWT cryptography && python tests/data/make_literals.py
"""
import json
import pathlib

import jwt

HERE = pathlib.Path(__file__).resolve().parent
VECTORS = json.loads((HERE / "vectors.json").read_text())
UUID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"


def make(system, order, alg, key, **changed):
    claims = {**VECTORS[system]["claims"], **changed}
    header = {"typ": "JWT", "alg": alg}
    token = jwt.encode({name: claims[name] for name in order}, key, alg, header, sort_headers=False)
    (HERE / f"{system}.jwt").write_text(token + "\n")


rsa = VECTORS["key"]["pkcs1_pem"]
make("mci", ["iss", "sub", "aud", "iat", "jti"], "RS256", rsa)
make("salesforce", ["iss", "sub", "aud", "exp", "jti"], "RS256", rsa, exp=1700000120, jti=UUID)
make("cylance", ["iss", "sub", "exp", "iat", "jti", "tid"], "HS256", VECTORS["cylance"]["secret_utf8"])
