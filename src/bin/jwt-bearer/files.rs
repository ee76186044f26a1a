//! Reads files that hold keys and secrets. They are bounded in length, wiped after use, and never quoted.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::output::{Failure, print_message};

/// The largest file that is read, in bytes: no key, secret or certificate bundle is larger.
const MAX_BYTES: u64 = 1024 * 1024;

/// Returns the bytes of a file, or of standard input if the name is `-`.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    let limit = MAX_BYTES.saturating_add(1);
    let read = match path == Path::new("-") {
        true => io::stdin().lock().take(limit).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)),
    };
    let name = path.display();
    // With `--key "$KEY"` the argument is the secret itself, which must not reach standard error.
    let text = path.to_string_lossy();
    if text.contains("-----BEGIN") || text.contains(['\n', '{']) {
        return Err(Failure::usage(
            "a file name is wanted, not what is in it: write - and pipe it to standard input",
        ));
    }
    match read {
        Err(error) => Err(Failure::config(format!("{name}: {error}"))),
        Ok(length) if u64::try_from(length).unwrap_or(MAX_BYTES) > MAX_BYTES => Err(
            Failure::config(format!("{name}: this is too long for a key or a secret")),
        ),
        Ok(_) => Ok(bytes),
    }
}

/// Returns a secret without the line end that `echo` and editors add to the file.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let bytes = read(path)?;
    let bare = bytes
        .strip_suffix(b"\r\n")
        .or_else(|| bytes.strip_suffix(b"\n"));
    match bare {
        Some(bare) => {
            print_message(&format!(
                "{}: the line end at its end is dropped",
                path.display()
            ));
            Ok(Zeroizing::new(bare.to_vec()))
        }
        None => Ok(bytes),
    }
}
