"""Makes names.pem beside it: an expired certificate of ../keys/rsa-2048.der with names of several kinds.

    pip install cryptography && python tests/data/certificates/make_names.py

Made with cryptography 48.
"""
import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key
from cryptography.x509.oid import NameOID

HERE = pathlib.Path(__file__).resolve().parent
key = load_der_private_key((HERE.parent / "keys" / "rsa-2048.der").read_bytes(), None)
name = x509.Name([
    x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example\x1b[31m Ltd"),
    x509.NameAttribute(NameOID.COMMON_NAME, "names"),
])
names = [
    x509.DNSName("app.example"),
    x509.RFC822Name("app@example.com"),
    x509.UniformResourceIdentifier("https://app.example/id"),
    x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
    x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
]
certificate = (
    x509.CertificateBuilder()
    .subject_name(name)
    .issuer_name(name)
    .public_key(key.public_key())
    .serial_number(1)
    .not_valid_before(datetime.datetime(2020, 1, 1))
    .not_valid_after(datetime.datetime(2021, 1, 1))
    .add_extension(x509.SubjectAlternativeName(names), critical=False)
    .sign(key, hashes.SHA256())
)
(HERE / "names.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
