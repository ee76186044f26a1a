//! Instructions of one call each, by callgrind: the same on a busy machine as on an idle one.
//!
//! Nothing here signs or hashes much: `sha2` chooses its code by what the processor can do.

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group, main};
use inside::{Free, exchange, fresh_source, now, profile, response};
use jwt_bearer::{AccessToken, Assertion, Exchange, Profile, RsaKey, TokenSource};

#[library_benchmark(setup = fresh_source)]
#[bench::one()]
fn fresh_token(source: TokenSource) -> (AccessToken, TokenSource) {
    (black_box(&source).token().unwrap(), source)
}

#[library_benchmark(setup = profile)]
#[bench::one()]
fn assertion(profile: Profile) -> (Assertion, Profile) {
    (
        black_box(&profile).assertion(&Free, now()).unwrap(),
        profile,
    )
}

fn leaked() -> &'static Profile {
    Box::leak(Box::new(profile()))
}

#[library_benchmark(setup = leaked)]
#[bench::one()]
fn request(profile: &'static Profile) -> Exchange<'static> {
    exchange(black_box(profile))
}

fn sent() -> Exchange<'static> {
    exchange(leaked())
}

#[library_benchmark(setup = sent)]
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
