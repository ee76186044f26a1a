//! The example at the end of a provider's help: a command with all that is required.

use jwt_bearer::provider::{InputValue, KeyKind, Provider};

/// Returns whether a group of alternatives says where the token endpoint is.
pub(crate) fn is_endpoint(group: &[&str]) -> bool {
    group.contains(&"token-endpoint")
}

/// Returns a command with all that is required.
pub(crate) fn example(provider: &Provider, used_by: &str) -> String {
    let mut words = vec![format!("jwt-bearer {used_by} {}", provider.name)];
    let is_assertion = used_by == "assertion";
    let mut groups = provider.alternatives.iter();
    let names_audience = is_assertion && groups.any(|group| is_endpoint(group));
    let required = provider.inputs.iter().filter(|input| {
        let mut alternatives = provider.alternatives.iter();
        let is_first = |group: &&[&str]| {
            group.first() == Some(&input.name) && !(is_assertion && is_endpoint(group))
        };
        input.is_required || alternatives.any(is_first)
    });
    for input in required {
        let value = match input.value {
            InputValue::Text(form) | InputValue::List(form) => form,
            InputValue::Secret(_) => "FILE",
            InputValue::Choice(choices) => choices.first().map_or("", |(name, _)| name),
            _ => "",
        };
        words.push(format!("--{} {value}", input.name));
    }
    words.extend(names_audience.then(|| "--audience URL".to_owned()));
    words.push(match provider.key {
        KeyKind::Secret => "--secret secret.txt".to_owned(),
        _ => "--key key.pem".to_owned(),
    });
    let suffix = suffix(used_by);
    let mut example = format!("Example:\n  {}{suffix}", words.join(" "));
    if provider.has_credential_file() {
        let file = format!(
            "\n  jwt-bearer {used_by} {} --credentials key.json",
            provider.name
        );
        example.push_str(&file);
        for input in provider.inputs {
            let is_in_file = provider.is_in_credential_file(input.name);
            if let (true, InputValue::Text(form)) = (input.is_required && !is_in_file, input.value)
            {
                example.push_str(&format!(" --{} {form}", input.name));
            }
        }
        example.push_str(suffix);
    }
    example
}

/// Returns a command for a credential file that says everything.
pub(crate) fn example_of_file(used_by: &str) -> String {
    let suffix = suffix(used_by);
    format!("Example:\n  jwt-bearer {used_by} credentials key.json --scope SCOPE{suffix}")
}

/// Returns a command for a connection, which says everything.
pub(crate) fn example_of_connection(used_by: &str, name: &str) -> String {
    format!("Example:\n  jwt-bearer {used_by} {name}{}", suffix(used_by))
}

/// Returns the usage of a connection.
pub(crate) fn usage_of_connection(used_by: &str, name: &str) -> String {
    let end = match used_by {
        "exec" => " -- <COMMAND>...",
        _ => "",
    };
    format!("jwt-bearer {used_by} {name} [OPTIONS]{end}")
}

/// Returns what ends an example: `exec` needs a command.
fn suffix(used_by: &str) -> &'static str {
    match used_by {
        "exec" => " -- ./deploy.sh",
        _ => "",
    }
}
