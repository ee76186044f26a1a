//! What several readers say about a file that has no key that can sign here.

pub(crate) const IS_PUBLIC_KEY: &str = "this is a public key";
pub(crate) const IS_CERTIFICATE: &str = "this is a certificate";
pub(crate) const IS_CERTIFICATE_REQUEST: &str = "this is a certificate request";
pub(crate) const IS_PKCS12_STORE: &str = "this is a PKCS#12 store: export its key with openssl \
    pkcs12 -in FILE -nocerts -nodes -out NEW (an old store also needs -legacy)";
pub(crate) const IS_ENCRYPTED: &str = "this key is encrypted: a passphrase is needed";
pub(crate) const IS_OPENSSH_KEY: &str = "this key is in OpenSSH's own format: convert a copy of \
    the file, which is overwritten, with ssh-keygen -p -m PEM -f COPY (an Ed25519 key stays as it \
    is: make another with openssl genpkey -algorithm ed25519 -out NEW)";
pub(crate) const IS_DSA_KEY: &str =
    "this is a DSA key: JWTs are signed with RSA, EC or Ed25519 keys";

pub(crate) const IS_EC_KEY: &str = "this is an EC key; RS256 needs RSA";
pub(crate) const IS_ED25519_KEY: &str = "this is an Ed25519 key; RS256 needs RSA";
pub(crate) const IS_PSS_KEY: &str = "this RSA key is restricted to PSS; RS256 needs PKCS#1 v1.5";
pub(crate) const IS_MULTI_PRIME: &str =
    "this RSA key has more than two primes; keys of two are taken";

pub(crate) const IS_ED448_KEY: &str = "this key is on the curve Ed448; Ed25519 is supported";
pub(crate) const IS_ON_P521: &str =
    "this EC key is on the curve P-521; P-256 and P-384 are supported";
pub(crate) const IS_ON_SECP256K1: &str =
    "this EC key is on the curve secp256k1; P-256 and P-384 are supported";
pub(crate) const IS_ON_OTHER_CURVE: &str =
    "this EC key is on another curve; P-256 and P-384 are supported";

pub(crate) const CUT_OFF: &str = "this key is cut off in the middle";
pub(crate) const TOO_LONG: &str = "this is too long for a key";
pub(crate) const RSA_INCONSISTENT: &str = "the parts of this RSA key do not belong together";
pub(crate) const EC_INCONSISTENT: &str = "the parts of this EC key do not belong together";

/// What to do about a key whose encryption is not supported.
pub(crate) const CONVERT: &str = "convert it with openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE \
    -out NEW (an old cipher also needs -provider legacy -provider default)";
