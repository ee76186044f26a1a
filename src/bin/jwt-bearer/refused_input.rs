//! Finds the input that a provider's constructor refuses: the library's error uses the words of the server, and the
//! user knows options.

use jwt_bearer::provider::{Inputs, Provider};
use jwt_bearer::{Error, Profile};

use crate::failure::Failure;

/// For every input that can be wrong, one of these values is right.
const PLACEHOLDERS: [&str; 4] = ["https://host.invalid", "host.invalid", "name", "1"];

/// Makes the profile of a provider.
///
/// # Errors
/// If an input is refused. The failure says where its value comes from.
pub(crate) fn profile(provider: &Provider, inputs: Inputs<'_>) -> Result<Profile, Failure> {
    checked(provider, inputs).map_err(|error| {
        let refused = refused(provider, inputs);
        let failure = Failure::from(error);
        match refused {
            Some(name) => failure.with_option(name),
            None => failure,
        }
    })
}

fn checked(provider: &Provider, inputs: Inputs<'_>) -> Result<Profile, Error> {
    let profile = provider.profile(inputs)?;
    profile.check_values().map(|()| profile)
}

/// Returns the input that would cause no error if it had another value.
fn refused<'a>(provider: &Provider, inputs: Inputs<'a>) -> Option<&'a str> {
    let mut names = inputs.values.iter().map(|(name, _)| *name);
    names.find(|name| is_cause(provider, inputs, name))
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
        checked(provider, inputs).is_ok()
    })
}
