//! The definition of a provider: a named constructor of profiles, for programs that learn their server at run time.

use crate::error::Error;
use crate::jwt::HmacKey;
use crate::key::certificate::Certificate;
use crate::profile::Profile;

/// A server, or a kind of server, with a named constructor.
#[non_exhaustive]
pub struct Provider {
    /// Its name, in lower case with hyphens.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub about: &'static str,
    /// The documents that its profile is made from.
    pub documents: &'static [&'static str],
    /// What signs.
    pub key: KeyKind,
    /// What its constructor takes.
    pub inputs: &'static [Input],
    /// Groups of inputs. Exactly one input of each group is needed.
    pub alternatives: &'static [&'static [&'static str]],
    /// Reads a shared secret that the server shows in its own format.
    pub read_secret: Option<SecretReader>,
    pub(super) credential_file: Option<&'static CredentialFile>,
    /// Makes the profile from inputs that [`Provider::profile`] has checked.
    pub(super) construct: fn(&Inputs<'_>) -> Result<Profile, Error>,
}

/// Reads a key from the text that a server shows.
pub type SecretReader = fn(&[u8]) -> Result<HmacKey, Error>;

impl Provider {
    /// What most providers have in common.
    pub(super) const NEW: Self = Self {
        name: "",
        about: "",
        documents: &[],
        key: KeyKind::Private,
        inputs: &[],
        alternatives: &[],
        read_secret: None,
        credential_file: None,
        construct: |_| Err(Error::config("this provider has no constructor")),
    };
}

impl Provider {
    /// Returns whether the server hands out credential files, which [`credentials`](Self::credentials) reads.
    pub fn has_credential_file(&self) -> bool {
        self.credential_file.is_some()
    }

    /// Returns whether a credential file has this input.
    pub fn is_in_credential_file(&self, input: &str) -> bool {
        let inputs = self.credential_file.map(|file| file.inputs);
        inputs.is_some_and(|inputs| inputs.iter().any(|(name, _)| *name == input))
    }
}

/// What a provider signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// A private key.
    Private,
    /// A shared secret.
    Secret,
    /// Either of them.
    Any,
}

/// One argument of a provider's constructor.
#[non_exhaustive]
pub struct Input {
    /// Its name, in lower case with hyphens: the provider's own term.
    pub name: &'static str,
    /// What its value is.
    pub value: InputValue,
    /// What it is, in one sentence.
    pub help: &'static str,
    /// Whether it must be given.
    pub is_required: bool,
    /// Its value if it is not given.
    pub default: Option<&'static str>,
    /// The input that this one replaces.
    pub instead_of: Option<&'static str>,
}

/// What the value of an [`Input`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputValue {
    /// A text, described by this word.
    Text(&'static str),
    /// Texts with a space between them, described by this word.
    List(&'static str),
    /// One of these names, each with its description.
    Choice(&'static [(&'static str, &'static str)]),
    /// A secret, described by this word.
    Secret(&'static str),
    /// Nothing, or `yes`.
    Flag,
}

impl Input {
    pub(super) const fn required(
        name: &'static str,
        value: &'static str,
        help: &'static str,
    ) -> Self {
        Self {
            is_required: true,
            ..Self::optional(name, InputValue::Text(value), help)
        }
    }
    pub(super) const fn required_secret(name: &'static str, help: &'static str) -> Self {
        Self {
            is_required: true,
            ..Self::optional(name, InputValue::Secret("SECRET"), help)
        }
    }
    pub(super) const fn required_list(
        name: &'static str,
        value: &'static str,
        help: &'static str,
    ) -> Self {
        Self {
            is_required: true,
            ..Self::optional(name, InputValue::List(value), help)
        }
    }
    pub(super) const fn optional(
        name: &'static str,
        value: InputValue,
        help: &'static str,
    ) -> Self {
        Self {
            name,
            value,
            help,
            is_required: false,
            default: None,
            instead_of: None,
        }
    }
    pub(super) const fn with_default(
        name: &'static str,
        value: InputValue,
        help: &'static str,
        default: &'static str,
    ) -> Self {
        Self {
            default: Some(default),
            ..Self::optional(name, value, help)
        }
    }
    pub(super) const fn instead_of(self, other: &'static str) -> Self {
        Self {
            instead_of: Some(other),
            ..self
        }
    }
}

/// A kind of credential file, as data. A member is a name, or a JSON Pointer (RFC 6901) if it begins with a slash.
pub(super) struct CredentialFile {
    /// Members by which the file is recognised, each with its text, or with an empty text if any will do. The list
    /// is empty if the file is recognised as another provider's.
    pub(super) recognised_by: &'static [(&'static str, &'static str)],
    /// Inputs of the provider and the members that hold them. A member may be absent.
    pub(super) inputs: &'static [(&'static str, &'static str)],
    /// The key, in PEM or as a JWK.
    pub(super) key: &'static str,
    /// The key's `kid`.
    pub(super) key_id: &'static str,
    /// The passphrase of the key.
    pub(super) passphrase: &'static str,
}

impl CredentialFile {
    pub(super) const NEW: Self = Self {
        recognised_by: &[],
        inputs: &[],
        key: "",
        key_id: "",
        passphrase: "",
    };
}

/// Returns the base URL of a host, which people copy with or without the scheme and a trailing slash.
pub(super) fn base_url(host: &str) -> String {
    let host = host.trim_end_matches('/');
    match host.contains("://") {
        true => host.to_owned(),
        false => format!("https://{host}"),
    }
}

/// The arguments for the constructor of a [`Provider`].
#[derive(Clone, Copy, Default)]
pub struct Inputs<'a> {
    /// Names and values; the names are those in [`Provider::inputs`].
    pub values: &'a [(&'a str, &'a str)],
    /// The certificate of the key, for a server that finds the key by its certificate.
    pub certificate: Option<&'a Certificate>,
}

impl<'a> Inputs<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.values.iter().find(|(other, _)| *other == name)?;
        Some(value)
    }
    /// Returns the text of an input that is required or has a default.
    pub(super) fn text(&self, name: &str) -> &'a str {
        self.get(name).unwrap_or_default()
    }
}

impl Provider {
    /// Returns the profile for these inputs. Inputs that are not given get their defaults.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if an input is missing or unknown, is given twice or together with its
    /// alternative, or has a value that it cannot have.
    pub fn profile(&self, inputs: Inputs<'_>) -> Result<Profile, Error> {
        for (name, value) in inputs.values {
            let input = self.inputs.iter().find(|input| input.name == *name);
            let input = input.ok_or_else(|| {
                Error::config(format!("the provider {} has no input {name}", self.name))
            })?;
            let has_name = |(other, _): &&(&str, &str)| other == name;
            let is_replaced = input
                .instead_of
                .is_some_and(|other| inputs.get(other).is_some());
            if is_replaced || inputs.values.iter().filter(has_name).count() > 1 {
                return Err(Error::config(format!(
                    "{name} is given twice, or together with its alternative"
                )));
            }
            if input.value == InputValue::Flag && *value != "yes" {
                return Err(Error::config(format!("{name}: expected yes, or nothing")));
            }
            if let InputValue::Choice(choices) = input.value {
                if !choices.iter().any(|(choice, _)| choice == value) {
                    let choices: Vec<_> = choices.iter().map(|(choice, _)| *choice).collect();
                    let choices = choices.join(", ");
                    return Err(Error::config(format!("{name}: expected one of {choices}")));
                }
            }
        }
        let mut values = inputs.values.to_vec();
        for input in self.inputs {
            match input.default {
                _ if inputs.get(input.name).is_some() => {}
                Some(default) => values.push((input.name, default)),
                None if input.is_required => {
                    let message = format!("the provider {} needs {}", self.name, input.name);
                    return Err(Error::config(message));
                }
                None => {}
            }
        }
        for group in self.alternatives {
            if group
                .iter()
                .filter(|name| inputs.get(name).is_some())
                .count()
                != 1
            {
                let group = group.join(", ");
                return Err(Error::config(format!("exactly one of {group} is needed")));
            }
        }
        (self.construct)(&Inputs {
            values: &values,
            ..inputs
        })
    }
}
