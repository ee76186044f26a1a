"""Writes keys made by Python's cryptography to the current directory."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
plain = NoEncryption()
best = BestAvailableEncryption(b"correct horse")

for name, encoding, form, encryption in [
    ("pkcs1.pem", Encoding.PEM, PrivateFormat.TraditionalOpenSSL, plain),
    ("pkcs1.der", Encoding.DER, PrivateFormat.TraditionalOpenSSL, plain),
    ("pkcs8.pem", Encoding.PEM, PrivateFormat.PKCS8, plain),
    ("pkcs8.der", Encoding.DER, PrivateFormat.PKCS8, plain),
    ("encrypted-best.pem", Encoding.PEM, PrivateFormat.PKCS8, best),
    ("encrypted-best.der", Encoding.DER, PrivateFormat.PKCS8, best),
    ("encrypted-proc-type.pem", Encoding.PEM, PrivateFormat.TraditionalOpenSSL, best),
    ("ssh.pem", Encoding.PEM, PrivateFormat.OpenSSH, plain),
]:
    Path(f"cryptography-{name}").write_bytes(key.private_bytes(encoding, form, encryption))
