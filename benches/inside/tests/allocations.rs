//! Counts heap allocations. The load of the machine does not change them.

use inside::{FreeSigner, fresh_source, now, profile};

#[track_caller]
fn assert_allocations(limit: u64, run: impl FnOnce()) {
    let counted = allocation_counter::measure(run);
    assert!(counted.count_total <= limit, "{counted:?}");
}

#[test]
fn fresh_token_does_not_allocate() {
    let source = fresh_source();
    assert_allocations(0, || drop(source.token()));
}

/// The signer allocates the bytes of the signature, which are counted too.
#[test]
fn assertion_allocates_at_most_five_times() {
    let profile = profile();
    assert_allocations(5, || drop(profile.assertion(&FreeSigner, now()).unwrap()));
}
