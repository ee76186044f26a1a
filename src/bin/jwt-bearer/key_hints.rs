//! What to do about a file that is not a key to sign with, given the words of the library's error.
//!
//! An error that contains a command needs no hint.

/// Words of errors, and what to do. The first row that matches is used.
const HINTS: &[(&str, &str)] = &[
    (
        "certificate request",
        "a request is of use to a certificate authority alone: its private key is in another file, and the certificate \
         comes from the authority",
    ),
    (
        "this is a certificate",
        "its private key is in another file: give that one as the key, and this one with --certificate",
    ),
    (
        "is a public key",
        "signing needs its private key, which is in another file or, at a server, shown once: when it is made",
    ),
    (
        "the passphrase is wrong",
        "the file of --passphrase-file has the passphrase and nothing else; one line end is dropped",
    ),
    (
        "the parameters of an EC key",
        "copy the whole file again, with its last block",
    ),
    ("cut off", COPY),
    ("not base64", COPY),
    ("BEGIN and END lines", COPY),
    (
        "do not belong together",
        "the file is damaged or put together of two keys: copy it again; openssl pkey -in FILE -check -noout tells \
         whether a copy is whole",
    ),
    (
        "this is empty",
        "nothing was written there: copy the key again",
    ),
    ("no initialization vector", COPY),
    ("are missing and do not follow", COPY),
    ("public exponent", NEW_KEY),
    ("supported", NEW_KEY),
    ("JWTs are signed with", NEW_KEY),
    ("is not for signing", NEW_KEY),
    ("more than two primes", NEW_KEY),
    ("bits; ", NEW_KEY),
    ("this is not a PEM private key", FORMATS),
    ("this is not a private key", FORMATS),
    ("there is no private key in this PEM", FORMATS),
    ("this is JSON without", FORMATS),
    ("this is XML or HTML", FORMATS),
];
const COPY: &str = "copy the whole file again; of PEM, from the line BEGIN to the line END";
const NEW_KEY: &str = "jwt-bearer key new FILE makes a key that can sign";
const FORMATS: &str = "a private key is in PEM, as in -----BEGIN PRIVATE KEY-----, in DER, in PKCS#12 or a JWK; the \
    secret of an HMAC has no such form, and no public key: it is given with --secret";

/// Returns what to do about an error of a key file.
pub(crate) fn hint(message: &str) -> Option<&'static str> {
    let (_, hint) = HINTS.iter().find(|(words, _)| message.contains(words))?;
    Some(hint)
}
