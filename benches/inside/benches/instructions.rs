//! Instructions of single calls, counted by callgrind. A busy machine counts the same as an idle one.
//!
//! No call signs or hashes much, because `sha2` has other code for other processors.

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group, main};
use inside::{FreeSigner, exchange, fresh_source, now, profile, response};
use jwt_bearer::{AccessToken, Assertion, Exchange, Profile, RsaKey, TokenSource};

// Leaked, because moving the source would be counted.
fn leaked_source() -> &'static TokenSource {
    Box::leak(Box::new(fresh_source()))
}

#[library_benchmark(setup = leaked_source)]
#[bench::one()]
fn fresh_token(source: &'static TokenSource) -> AccessToken {
    black_box(source).token().unwrap()
}

#[library_benchmark(setup = profile)]
#[bench::one()]
fn assertion(profile: Profile) -> (Assertion, Profile) {
    (
        black_box(&profile).assertion(&FreeSigner, now()).unwrap(),
        profile,
    )
}

fn leaked_profile() -> &'static Profile {
    Box::leak(Box::new(profile()))
}

#[library_benchmark(setup = leaked_profile)]
#[bench::one()]
fn request(profile: &'static Profile) -> Exchange<'static> {
    exchange(black_box(profile))
}

fn leaked_exchange() -> Exchange<'static> {
    exchange(leaked_profile())
}

#[library_benchmark(setup = leaked_exchange)]
#[bench::one()]
fn response_to_token(exchange: Exchange<'static>) -> AccessToken {
    black_box(exchange).read(response()).unwrap()
}

#[library_benchmark]
#[bench::one()]
fn pem_to_key() -> RsaKey {
    RsaKey::from_pem(black_box(inside::PEM)).unwrap()
}

library_benchmark_group!(
    name = calls,
    benchmarks = [
        fresh_token,
        assertion,
        request,
        response_to_token,
        pem_to_key
    ]
);
main!(library_benchmark_groups = calls);
