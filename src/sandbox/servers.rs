//! The table: what each authorization server checks, issues and answers to a refused request, as data.
//!
//! The rows follow only the servers' documents, and use no code of the library's own profiles, so that a mistake in one
//! of the two readings shows.

use std::collections::BTreeSet;

use super::grant::Grant;

mod apps;
mod cloud;
mod first;
mod identity;
mod sectors;

const GROUPS: [&[Grant]; 5] = [
    first::GRANTS,
    cloud::GRANTS,
    identity::GRANTS,
    apps::GRANTS,
    sectors::GRANTS,
];

/// Returns the rows of the table.
pub(super) fn grants() -> impl Iterator<Item = &'static Grant> {
    GROUPS.into_iter().flatten()
}

/// Returns the base of each server that has one.
pub(super) fn bases() -> impl Iterator<Item = &'static str> {
    let bases: BTreeSet<_> = grants().map(|grant| grant.base).collect();
    bases.into_iter().filter(|base| !base.is_empty())
}

/// Returns the first segment of `path` if it is the base of a server, or an empty text.
pub(super) fn base_of(path: &str) -> &'static str {
    let first = path.split('/').nth(1).unwrap_or_default();
    bases().find(|base| *base == first).unwrap_or_default()
}
