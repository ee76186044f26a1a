//! Which input of a provider its constructor refuses: the library's error is in the words of the server, and the user
//! knows options.

use jwt_bearer::provider::{Inputs, Provider};
use jwt_bearer::{Error, Profile};

use crate::failure::Failure;

/// Values of which one is right for every input that can be wrong.
const PLACEHOLDERS: [&str; 4] = ["https://host.invalid", "host.invalid", "name", "1"];

/// Makes the profile of a provider.
///
/// # Errors
/// Where an input is refused. The failure says where its value is from.
pub(crate) fn profile(provider: &Provider, inputs: Inputs<'_>) -> Result<Profile, Failure> {
    provider.profile(inputs).map_err(|error| {
        let refused = refused(provider, inputs, &error);
        let failure = Failure::from(error);
        match refused {
            Some(name) => failure.with_option(name),
            None => failure,
        }
    })
}

/// Returns the input that the error names, or else the one with which there would be no error if its value were another.
fn refused<'a>(provider: &Provider, inputs: Inputs<'a>, error: &Error) -> Option<&'a str> {
    let message = error.to_string().to_lowercase();
    let mut names = inputs.values.iter().map(|(name, _)| *name);
    let is_named = |name: &&str| message.starts_with(&name.replace('-', " "));
    names
        .clone()
        .find(is_named)
        .or_else(|| names.find(|name| is_cause(provider, inputs, name)))
}

fn is_cause(provider: &Provider, inputs: Inputs<'_>, cause: &str) -> bool {
    PLACEHOLDERS.iter().any(|placeholder| {
        let values = inputs
            .values
            .iter()
            .map(|(name, value)| match *name == cause {
                true => (*name, *placeholder),
                false => (*name, *value),
            });
        let values: Vec<_> = values.collect();
        let inputs = Inputs {
            values: &values,
            ..inputs
        };
        provider.profile(inputs).is_ok()
    })
}
