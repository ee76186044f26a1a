//! Limits on what a passphrase may cost, since the file chooses the cost.

/// The most rounds of a key derivation that are computed. They take about a second. OpenSSL writes 2048, Java 10,000,
/// and OWASP recommends 600,000.
const MAX_ROUNDS: u64 = 2_000_000;
/// The most bytes that scrypt works through, 128 N r p (RFC 7914 §2). It never needs more memory than that, and a
/// failed allocation ends the process. OpenSSL writes 16 MiB.
const MAX_SCRYPT: u64 = 64 * MIB;
const MIB: u64 = 1024 * 1024;

/// Checks the number of rounds of a key derivation function.
///
/// # Errors
/// A message with the rounds, the limit and how to write a cheaper file.
pub(super) fn check_rounds(rounds: u64, function: &str, cheaper: &str) -> Result<(), String> {
    match rounds > MAX_ROUNDS {
        true => Err(format!(
            "this key's passphrase takes {rounds} rounds of {function}; at most {MAX_ROUNDS} are \
             taken: {cheaper}"
        )),
        false => Ok(()),
    }
}

/// Checks the parameters of scrypt.
///
/// # Errors
/// A message with the cost, the limit and the command that writes a cheaper file.
pub(super) fn check_scrypt(n: u64, r: u64, p: u64) -> Result<(), String> {
    let bytes = [n, r, p].into_iter().fold(128, u64::saturating_mul);
    let (mib, most) = (bytes.div_ceil(MIB), MAX_SCRYPT.div_ceil(MIB));
    match bytes > MAX_SCRYPT {
        true => Err(format!(
            "this key's passphrase takes {mib} MiB of scrypt (N {n}, r {r}, p {p}); at most {most} \
             MiB are taken: write a cheaper one with openssl pkcs8 -topk8 -scrypt -in FILE -out NEW"
        )),
        false => Ok(()),
    }
}
