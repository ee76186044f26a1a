//! Stand-ins for what the included modules of the command line name, as far as they need it.
//!
//! The modules with these names are not pure: they print, read files, and name most of the command line.

/// Why a command failed.
pub(crate) mod failure {
    pub(crate) struct Failure(pub(crate) String);

    impl Failure {
        pub(crate) fn config(message: impl Into<String>) -> Self {
            Self(message.into())
        }
    }
}

/// The text of a file, without the byte order mark.
pub(crate) mod files {
    use std::path::{Path, PathBuf};

    use super::failure::Failure;

    pub(crate) const ENV: &str = "env:";

    pub(crate) fn text<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, Failure> {
        let text = std::str::from_utf8(bytes);
        let text =
            text.map_err(|_| Failure::config(format!("{}: this is no text", path.display())))?;
        Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
    }

    pub(crate) fn directory(_: &str, _: impl FnOnce() -> Option<PathBuf>) -> Option<PathBuf> {
        None
    }
}

/// Which pairs may be secrets. The list of parameters that are not secret is private to the library.
pub(crate) mod pairs {
    use jwt_bearer::{SETTINGS, SettingValue};

    pub(crate) fn may_be_secret(option: &str) -> bool {
        let setting = SETTINGS.iter().find(|setting| setting.name == option);
        setting.is_some_and(|setting| {
            matches!(
                setting.value,
                SettingValue::Pair {
                    may_be_secret: true,
                    ..
                }
            )
        })
    }

    pub(crate) fn is_secret_pair(_: &str, _: &str) -> bool {
        true
    }
}

pub(crate) mod reporting {
    pub(crate) fn is_quiet() -> bool {
        true
    }
}
