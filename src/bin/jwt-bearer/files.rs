//! Files that hold keys and secrets: bounded, wiped, and never quoted.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::report::{Failure, warn};

/// No key, secret or certificate is longer.
const MAX: u64 = 1024 * 1024;

/// The bytes of a file, or of standard input where it is `-`.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    let limit = MAX.saturating_add(1);
    let read = match path == Path::new("-") {
        true => io::stdin().lock().take(limit).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)),
    };
    let name = path.display();
    // `--key "$KEY"`: what was meant as a file's content is not for standard error.
    let text = path.to_string_lossy();
    if text.contains("-----BEGIN") || text.contains(['\n', '{']) {
        return Err(Failure::usage(
            "a file name is wanted, not what is in it: write - and pipe it to standard input",
        ));
    }
    match read {
        Err(error) => Err(Failure::config(format!("{name}: {error}"))),
        Ok(length) if u64::try_from(length).unwrap_or(MAX) > MAX => Err(Failure::config(format!(
            "{name}: this is too long for a key or a secret"
        ))),
        Ok(_) => Ok(bytes),
    }
}

/// A secret as people write it: `echo` adds a line end that is not part of it.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let bytes = read(path)?;
    let bare = bytes
        .strip_suffix(b"\r\n")
        .or_else(|| bytes.strip_suffix(b"\n"));
    match bare {
        Some(bare) => {
            warn(&format!(
                "{}: the line end at its end is dropped",
                path.display()
            ));
            Ok(Zeroizing::new(bare.to_vec()))
        }
        None => Ok(bytes),
    }
}
