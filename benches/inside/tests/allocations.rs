//! How often the heap is asked: a number that no load of the machine changes.

use inside::{Free, fresh_source, now, profile};

#[track_caller]
fn at_most(limit: u64, run: impl FnOnce()) {
    let counted = allocation_counter::measure(run);
    assert!(counted.count_total <= limit, "{counted:?}");
}

#[test]
fn a_fresh_token_asks_for_nothing() {
    let source = fresh_source();
    at_most(0, || drop(source.token()));
}

/// The signature's own bytes are the signer's.
#[test]
fn an_assertion_asks_five_times() {
    let profile = profile();
    at_most(5, || drop(profile.assertion(&Free, now()).unwrap()));
}
