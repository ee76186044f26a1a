//! Compares a fresh token with its yardstick. Prints lines of `threads nanoseconds yardstick-nanoseconds ratio`.
//!
//! Batches alternate, so that a machine that is slow for a while is slow for both halves of a pair.

use std::hint::black_box;

use inside::{Yardstick, fresh_source, time_threads};

const PAIRS: usize = 201;
const BATCH: u32 = 20_000;

fn main() {
    let (source, yardstick) = (fresh_source(), Yardstick::default());
    for threads in [1, 2] {
        for _ in 0..PAIRS {
            let ours = time_threads(threads, BATCH, || drop(black_box(source.token())));
            let least = time_threads(threads, BATCH, || drop(black_box(yardstick.get())));
            let [ours, least] =
                [ours, least].map(|time| time.as_secs_f64() * 1e9 / f64::from(BATCH));
            println!("{threads}\t{ours:.1}\t{least:.1}\t{:.4}", ours / least);
        }
    }
}
