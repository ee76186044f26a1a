"""Writes RSA keys whose numbers or encoding are unusual, in DER, beside this file. make.sh runs it.

Needs Python 3.8 and OpenSSL, which makes the primes and says what it thinks of each key.
"""
import json, os, subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
RSA = bytes.fromhex("06092a864886f70d010101")
NULL = b"\x05\x00"


def tlv(tag, value):
    length = len(value)
    if length < 128:
        return bytes([tag, length]) + value
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + value


def integers(*numbers):
    parts = (tlv(2, n.to_bytes(n.bit_length() // 8 + 1, "big")) for n in numbers)
    return tlv(0x30, b"".join(parts))


def pkcs1(p, q, e=65537, d=None):
    d = d or pow(e, -1, (p - 1) * (q - 1))
    try:
        inverse = pow(q, -1, p)
    except ValueError:
        inverse = 1
    return integers(0, p * q, e, d, p, q, d % (p - 1), d % (q - 1), inverse)


def pkcs8(key, parameters=NULL):
    return tlv(0x30, b"\x02\x01\x00" + tlv(0x30, RSA + parameters) + tlv(4, key))


def prime(bits, e=65537):
    """A prime of exactly so many bits, the two highest of them set, that allows the exponent."""
    while True:
        words = ["openssl", "prime", "-generate", "-bits", str(bits), "-hex"]
        found = int(subprocess.run(words, capture_output=True, check=True, text=True).stdout, 16)
        if found >> (bits - 2) == 3 and (found - 1) % e:
            return found


def save(name, content):
    path = os.path.join(HERE, name)
    with open(path, "wb") as file:
        file.write(content)
    return path


def write(name, der, sign=False):
    path = save(name, der)
    words = ["openssl", "rsa", "-inform", "DER", "-in", path, "-check", "-noout"]
    done = subprocess.run(words, capture_output=True, text=True)
    print(name, "OpenSSL:", (done.stdout + done.stderr).split("\n")[0])
    if sign:
        words = ["openssl", "dgst", "-sha256", "-keyform", "DER", "-sign", path]
        done = subprocess.run(words, input=b"header.claims", capture_output=True, check=True)
        save(name.replace(".der", ".sig"), done.stdout)


# Primes of unequal size: 16 bits from half of n are accepted, 17 are not.
for less in (16, 17, 20, 200):
    p, q = prime(1024 - less), prime(1024 + less)
    write(f"primes-{1024 - less}-{1024 + less}.der", pkcs1(p, q), sign=less == 16)
    if less == 16:
        write("primes-1040-1008.der", pkcs1(q, p), sign=True)
write("prime-3.der", pkcs1(prime(2046), 3))
write("prime-3-first.der", pkcs1(3, prime(2046)))

# Factors with a common factor have no inverse modulo each other, so no CRT.
common = prime(512)
while True:
    p, q = common * prime(512), common * prime(512)
    if (p - 1) % 65537 and (q - 1) % 65537:
        break
write("common-factor.der", pkcs1(p, q))
write("square.der", pkcs1(p, p, d=pow(65537, -1, p - 1)))

# The key of RFC 7515 appendix A.2 in other encodings.
with open(os.path.join(HERE, "../vectors.json")) as file:
    pem = json.load(file)["key"]["pkcs1_pem"]
words = ["openssl", "rsa", "-noout", "-text"]
text = subprocess.run(words, input=pem, capture_output=True, check=True, text=True).stdout
found, name = {}, None
for line in text.splitlines():
    if line.startswith(" "):
        found[name] += line.strip().replace(":", "")
    else:
        name = line.split(":")[0]
        found[name] = ""
n, d, p, q = (int(found[name], 16) for name in ("modulus", "privateExponent", "prime1", "prime2"))
e, dp, dq, qi = 65537, d % (p - 1), d % (q - 1), pow(q, -1, p)
whole = (0, n, e, d, p, q, dp, dq, qi)
assert integers(*whole) == pkcs1(p, q, d=d)
write("smaller-prime-first.der", pkcs1(min(p, q), max(p, q), d=d))
write("no-null.der", pkcs8(integers(*whole), b""))
write("primes-zero.der", integers(*whole[:4], 0, 0, 0, 0, 0))
write("primes-absent.der", integers(*whole[:4]))
write("primes-zero-pkcs8.der", pkcs8(integers(*whole[:4], 0, 0, 0, 0, 0)))
write("crt-zero.der", integers(*whole[:6], 0, 0, 0))
write("crt-absent.der", integers(*whole[:6]))
write("d-zero.der", integers(0, n, e, 0, p, q, dp, dq, qi))
write("d-zero-primes-zero.der", integers(0, n, e, 0, 0, 0, 0, 0, 0))
# d plus multiples of (p - 1)(q - 1): the same key to software that uses only d.
write("d-longer-than-n.der", pkcs1(p, q, d=d + ((p - 1) * (q - 1) << 64)))
write("d-8000-bytes.der", pkcs1(p, q, d=d + ((p - 1) * (q - 1) << 61952)))

# Exponents: the largest that is accepted, one beyond, a small one, and a small one without primes.
largest = 2**33 - 9
write("e-33-bits.der", pkcs1(prime(1024, largest), prime(1024, largest), largest), sign=True)
beyond = 2**33 + 17
write("e-34-bits.der", pkcs1(prime(1024, beyond), prime(1024, beyond), beyond))
huge = 2**2000 + 1
while True:
    try:
        write("e-2000-bits.der", pkcs1(prime(1024), prime(1024), huge))
        break
    except ValueError:
        pass
p, q = prime(1024, 3), prime(1024, 3)
write("e-3.der", pkcs1(p, q, 3), sign=True)
write("e-3-primes-zero.der", integers(0, p * q, 3, pow(3, -1, (p - 1) * (q - 1)), 0, 0, 0, 0, 0))
write("e-1.der", pkcs1(p, q, 1, 1))
p, q = prime(4096), prime(4096)
write("8192-primes-zero.der", integers(0, p * q, e, pow(e, -1, (p - 1) * (q - 1)), 0, 0, 0, 0, 0))


# Encrypted structures that are expensive to open. What is encrypted in them is not a key.
OIDS = {
    "pbes2": "06092a864886f70d01050d",
    "pbkdf2": "06092a864886f70d01050c",
    "hmac-sha-256": "06082a864886f70d0209",
    "scrypt": "06092b06010401da47040b",
    "aes-256-cbc": "060960864801650304012a",
}


def oid(name):
    return bytes.fromhex(OIDS[name])


def number(n):
    return tlv(2, n.to_bytes(n.bit_length() // 8 + 1, "big"))


def sealed(name, function, *parameters):
    kdf = tlv(0x30, oid(function) + tlv(0x30, tlv(4, bytes(8)) + b"".join(parameters)))
    cipher = tlv(0x30, oid("aes-256-cbc") + tlv(4, bytes(16)))
    scheme = tlv(0x30, oid("pbes2") + tlv(0x30, kdf + cipher))
    save(name, tlv(0x30, scheme + tlv(4, bytes(64))))


hmac = tlv(0x30, oid("hmac-sha-256") + NULL)
for rounds in (2_000_000, 2_000_001, 200_000_000, 2**70):
    sealed(f"rounds-{rounds}.der", "pbkdf2", number(rounds), hmac)
for n, r, p in ((65536, 8, 1), (65536, 9, 1), (32768, 8, 3), (2, 1, 2**20), (2**40, 8, 1)):
    sealed(f"scrypt-{n}-{r}-{p}.der", "scrypt", number(n), number(r), number(p))
