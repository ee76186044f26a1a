//! What every asymmetric key type can do: be read from a file, show its public key, and name itself to a server.

/// Implements the readers, the public key and `Debug` of a key type.
///
/// The type has the fields `key_id` and `repairs`, `public_key(&self) -> PublicKey`, and two
/// constructors that take a [`KeyMaterial`](crate::key::material::KeyMaterial): `$any` follows the
/// algorithm that the file names, `$usual` signs with the usual one.
macro_rules! asymmetric_key {
    ($type:ident, $any:ident, $usual:ident) => {
        impl $type {
            /// Reads a private key in any format: PEM, DER (PKCS#8, PKCS#1, SEC 1) or JWK.
            ///
            /// Use this reader for the content of a key file whose format you do not know. UTF-16 text is read too.
            ///
            /// # Errors
            /// Kind [`Key`](crate::ErrorKind::Key): the bytes are not a private key of this type that can be used. The
            /// message says what they are instead and quotes nothing from them.
            pub fn read(bytes: impl AsRef<[u8]>) -> Result<Self, crate::error::Error> {
                Self::$any(crate::key::read(bytes.as_ref(), None, None)?)
            }
            /// Reads a private key in any format as [`read`](Self::read) does, even with a passphrase or in a PKCS#12
            /// store.
            ///
            /// # Errors
            /// Those of [`from_encrypted_der`](Self::from_encrypted_der).
            #[cfg(feature = "encrypted-keys")]
            pub fn read_encrypted(
                bytes: impl AsRef<[u8]>,
                passphrase: impl AsRef<[u8]>,
            ) -> Result<Self, crate::error::Error> {
                let passphrase = Some(passphrase.as_ref());
                Self::$any(crate::key::read(bytes.as_ref(), passphrase, None)?)
            }
            /// Reads a private key in PEM, and repairs the damage that copying does to it.
            ///
            /// If there are several blocks, the first private key is read. Wipe the text yourself.
            ///
            /// # Errors
            /// Those of [`read`](Self::read). An RSA key that is restricted to PSS is refused, because it cannot sign
            /// RS256: `read` accepts it.
            pub fn from_pem(text: impl AsRef<[u8]>) -> Result<Self, crate::error::Error> {
                Self::$usual(crate::key::from_pem(text.as_ref(), None)?)
            }
            /// Reads a private key in DER.
            ///
            /// # Errors
            /// Those of [`from_pem`](Self::from_pem).
            pub fn from_der(der: impl AsRef<[u8]>) -> Result<Self, crate::error::Error> {
                Self::$usual(crate::key::from_der(der.as_ref(), None)?)
            }
            /// Reads a key in PEM, with or without a passphrase.
            ///
            /// The key may be in PKCS#8, or in PKCS#1 or SEC 1 with `Proc-Type` in its headers, as OpenSSL wrote it
            /// before version 3. Old ciphers are read, but nothing is ever encrypted with them.
            ///
            /// # Errors
            /// Those of [`from_pem`](Self::from_pem), and of the same kind:
            /// - the passphrase is wrong;
            /// - the encryption is not one of these: PBES2 with AES-CBC or 3DES-CBC and PBKDF2 (HMAC-SHA-1 or
            ///   HMAC-SHA-2) or scrypt (RFC 8018, RFC 7914); PBES1 with DES, and that of PKCS#12 with 3DES (RFC 7292);
            ///   `Proc-Type` with AES-CBC or 3DES-CBC;
            /// - the file demands more than 2,000,000 rounds of a hash or 64 MiB of scrypt (128 N r p bytes).
            #[cfg(feature = "encrypted-keys")]
            pub fn from_encrypted_pem(
                text: impl AsRef<[u8]>,
                passphrase: impl AsRef<[u8]>,
            ) -> Result<Self, crate::error::Error> {
                let passphrase = Some(passphrase.as_ref());
                Self::$usual(crate::key::from_pem(text.as_ref(), passphrase)?)
            }
            /// Reads a key in DER, with or without a passphrase: PKCS#8, or the first private key of a PKCS#12 store
            /// (`.p12`, `.pfx`).
            ///
            /// A store of OpenSSL, Windows or Java is read, but not its certificates. A store that was made without a
            /// passphrase needs none. Its MAC may take another 2,000,000 rounds.
            ///
            /// # Errors
            /// Those of [`from_encrypted_pem`](Self::from_encrypted_pem). A store in BER, as Firefox writes it, is
            /// refused.
            #[cfg(feature = "encrypted-keys")]
            pub fn from_encrypted_der(
                der: impl AsRef<[u8]>,
                passphrase: impl AsRef<[u8]>,
            ) -> Result<Self, crate::error::Error> {
                let passphrase = Some(passphrase.as_ref());
                Self::$usual(crate::key::from_der(der.as_ref(), passphrase)?)
            }
            /// Sets `kid`, the name under which the server knows the key (RFC 7515 §4.1.4).
            ///
            /// Defaults to the `kid` of a JWK, and to none for other files: the header has no `kid`.
            #[must_use]
            pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
                self.key_id = Some(key_id.into());
                self
            }
            /// Returns what a strict reader of PEM and DER would have refused, one clause each.
            pub fn repairs(&self) -> &[&'static str] {
                &self.repairs
            }

            /// Returns the public key in PEM (`SubjectPublicKeyInfo`), to register it with a server.
            ///
            /// It is what `openssl pkey -pubout` writes, except for an RSA key that is restricted to PSS: the
            /// restriction is left out.
            pub fn public_pem(&self) -> String {
                self.public_key().pem()
            }
            /// Returns the public key as a JWK (RFC 7517 §4), to register it with a server.
            ///
            /// Its members are `kty`, `use`, `alg`, `kid`, and the numbers of the key. `kid` is the
            /// [key id](Self::with_key_id) or, if none is set, the [thumbprint](Self::thumbprint). Some servers find
            /// the key by `kid`, so give those servers an assertion with the same key id.
            pub fn public_jwk(&self) -> String {
                self.public_key().jwk(self.algorithm(), self.key_id())
            }
            /// Returns the thumbprint of the public key (RFC 7638) with SHA-256, in base64url.
            ///
            /// Auth0 and others use it as the key id: see [`with_key_id`](Self::with_key_id).
            pub fn thumbprint(&self) -> String {
                self.public_key().thumbprint()
            }
            /// Returns the fingerprint of the public key: `SHA256:` and its SHA-256 hash in base64.
            ///
            /// GitHub and Snowflake show this text for a registered key, so you can check that the server has this
            /// key's public key. The hash is over the public key in DER (`SubjectPublicKeyInfo`).
            pub fn fingerprint(&self) -> String {
                self.public_key().fingerprint()
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($type))
                    .field("algorithm", &self.algorithm())
                    .field("key_id", &self.key_id)
                    .field("repairs", &self.repairs)
                    .finish_non_exhaustive()
            }
        }
    };
}

/// Implements the methods of [`Signer`](crate::signer::Signer) that say which key signed.
macro_rules! key_id_and_identity {
    () => {
        fn key_id(&self) -> Option<&str> {
            self.key_id.as_deref()
        }
        /// Returns the SHA-256 hash of the public key in DER (`SubjectPublicKeyInfo`, RFC 5280 §4.1.2.7).
        fn identity(&self) -> Option<[u8; 32]> {
            Some(self.public_key().identity())
        }
    };
}

pub(super) use {asymmetric_key, key_id_and_identity};
