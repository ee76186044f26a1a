//! Overwrites what other libraries leave on the stack.

/// Overwrites `BYTES` bytes of the stack that the previous call used.
#[inline(never)]
pub(crate) fn overwrite_stack<const BYTES: usize>() {
    std::hint::black_box([0_u8; BYTES]);
}
