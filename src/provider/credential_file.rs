//! Credential files that servers hand out: which members are inputs of the provider, and which one is the key.

use zeroize::Zeroizing;

use super::definition::{Inputs, Provider};
use crate::error::Error;
use crate::json::JsonObject;
use crate::jwt::Key;
use crate::key::encoding::{decode_base64, decode_utf16};
use crate::profile::Profile;

/// Files that cannot be used to get a token here, by their member `type`: what they are, and what to do.
const WITHOUT_TOKEN: &[(&str, &str)] = &[
    (
        "application",
        "this is the key file of an application in Zitadel, which introspects tokens and gets none: make a key of a service user",
    ),
    (
        "authorized_user",
        "this is a person's login, as gcloud auth application-default login leaves it: it has no key; make the key file of a service account",
    ),
    (
        "external_account",
        "this file names another identity provider (workload identity federation): it has no key; use Google's own libraries for it",
    ),
    (
        "external_account_authorized_user",
        "this is a person's login (workforce identity federation): it has no key; make the key file of a service account",
    ),
    (
        "impersonated_service_account",
        "this file names an account to impersonate, after another login: it has no key; make the key file of that account",
    ),
    (
        "gdch_service_account",
        "this is an account of Google Distributed Cloud, which exchanges by RFC 8693: that is not supported",
    ),
];

const PEM: &[u8] = b"-----BEGIN ";

/// A credential file that was parsed.
pub(super) struct ParsedFile(JsonObject);

impl ParsedFile {
    /// Parses JSON, also in UTF-16 as PowerShell writes it, or JSON in base64 as CI systems keep it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let utf16 = decode_utf16(bytes);
        let bytes = utf16.as_ref().map_or(bytes, |text| text.as_bytes());
        let in_base64 = || JsonObject::parse(&decode_base64(bytes)?);
        let object = JsonObject::parse(bytes).or_else(in_base64);
        let is_pem = bytes.windows(PEM.len()).any(|window| window == PEM);
        match object {
            Some(object) => Ok(Self(object)),
            None if is_pem => Err(Error::config(
                "this is PEM and no credential file: give it as the key",
            )),
            None => Err(Error::config("the credential file is not a JSON object")),
        }
    }

    pub(super) fn has_members(&self, members: &[(&str, &str)]) -> bool {
        members.iter().all(|(member, text)| match *text {
            "" => self.0.find(member).is_some(),
            text => self.text(member).is_some_and(|found| *found == text),
        })
    }

    /// Returns what the file is and what to do instead, if its member `type` is one that gets no token here.
    pub(super) fn why_no_token(&self) -> Option<&'static str> {
        let mut known = WITHOUT_TOKEN.iter();
        let known = known.find(|(kind, _)| self.has_members(&[("type", kind)]));
        known.map(|(_, what)| *what)
    }

    /// Returns the text of a member, or `None` if it has no text or this kind of file lacks the member.
    pub(super) fn text(&self, member: &str) -> Option<Zeroizing<String>> {
        self.0.find_text(member).filter(|_| !member.is_empty())
    }

    /// Returns the text of a member that must be there.
    pub(super) fn required_text(&self, member: &str) -> Result<Zeroizing<String>, Error> {
        let text = self.text(member);
        text.ok_or_else(|| Error::config(format!("the credential file has no text {member}")))
    }

    /// Returns the value of an input: a text, or `yes` for a flag that is `true`.
    fn value(&self, member: &str) -> Option<Zeroizing<String>> {
        let is_on = self.0.find(member) == Some("true");
        self.text(member)
            .or_else(|| is_on.then(|| "yes".to_owned().into()))
    }

    /// Returns the key: PEM, or a JWK, which may be a JSON object.
    pub(super) fn key(&self, member: &str) -> Result<Zeroizing<String>, Error> {
        let object = self.0.find(member).filter(|json| json.starts_with('{'));
        match object {
            Some(json) => Ok(json.to_owned().into()),
            None => self.required_text(member),
        }
    }

    /// Returns the profile for the inputs in the file and the given ones. A given input replaces the file's, and also
    /// the file's alternatives to it.
    pub(super) fn profile(&self, provider: &Provider, given: Inputs<'_>) -> Result<Profile, Error> {
        let file = provider.credential_file;
        let members = file.map(|file| file.inputs).unwrap_or_default();
        let is_given = |name: &&str| given.values.iter().any(|(other, _)| other == name);
        let is_replaced = |name: &&str| {
            let groups = provider.alternatives.iter();
            let mut groups = groups.filter(|group| group.contains(name));
            is_given(name) || groups.any(|group| group.iter().any(is_given))
        };
        let found = members
            .iter()
            .filter(|(name, _)| !is_replaced(name))
            .filter_map(|(name, member)| Some((*name, self.value(member)?)));
        let found: Vec<_> = found.collect();
        let found = found.iter().map(|(name, text)| (*name, text.as_str()));
        let values: Vec<_> = given.values.iter().copied().chain(found).collect();
        provider.profile(Inputs {
            values: &values,
            ..given
        })
    }
}

impl Provider {
    /// Returns the profile and the key from a credential file of this provider. `inputs` adds what the file lacks and
    /// overrides what it has.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the provider has no credential files, the text is not such a file or is
    /// one that gets no token, or inputs are missing; [`Key`](crate::ErrorKind::Key) if its key cannot be read, or has no algorithm that the server accepts.
    /// The error quotes nothing from the file.
    pub fn credentials(
        &self,
        file: impl AsRef<[u8]>,
        inputs: Inputs<'_>,
    ) -> Result<(Profile, Key), Error> {
        self.read_credentials(&ParsedFile::parse(file.as_ref())?, inputs)
    }

    pub(super) fn read_credentials(
        &self,
        parsed: &ParsedFile,
        inputs: Inputs<'_>,
    ) -> Result<(Profile, Key), Error> {
        let file = self.credential_file.ok_or_else(|| {
            Error::config(format!("the provider {} has no credential file", self.name))
        })?;
        if let Some(instead) = parsed.why_no_token() {
            return Err(Error::config(instead));
        }
        let profile = parsed.profile(self, inputs)?;
        let text = parsed.key(file.key)?;
        let key = match parsed.text(file.passphrase) {
            #[cfg(feature = "encrypted-keys")]
            Some(passphrase) => Key::read_encrypted(&*text, &*passphrase)?,
            _ => Key::read(&*text)?,
        };
        let key = key.with_first_of(profile.algorithms())?;
        let key_id = parsed.text(file.key_id);
        let key = key_id
            .iter()
            .fold(key, |key, id| key.with_key_id(id.as_str()));
        Ok((profile, key))
    }
}
