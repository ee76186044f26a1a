//! Time of single calls, printed for people: `cargo bench --bench time`.

use divan::Bencher;
use inside::{FreeSigner, Yardstick, exchange, fresh_source, now, profile, response};
use jwt_bearer::{Exchange, RsaKey};

fn main() {
    divan::main();
}

#[divan::bench(threads = [1, 2])]
fn fresh_token(bencher: Bencher<'_, '_>) {
    let source = fresh_source();
    bencher.bench(|| source.token());
}

#[divan::bench(threads = [1, 2])]
fn fresh_token_yardstick(bencher: Bencher<'_, '_>) {
    let yardstick = Yardstick::default();
    bencher.bench(|| yardstick.get());
}

#[divan::bench]
fn assertion_without_signature(bencher: Bencher<'_, '_>) {
    let profile = profile();
    bencher.bench(|| profile.assertion(&FreeSigner, now()));
}

#[divan::bench]
fn assertion_and_form(bencher: Bencher<'_, '_>) {
    let profile = profile();
    bencher.bench(|| Exchange::new(&profile, &FreeSigner, now()));
}

#[divan::bench]
fn response_to_token(bencher: Bencher<'_, '_>) {
    let profile = profile();
    bencher
        .with_inputs(|| (exchange(&profile), response()))
        .bench_values(|(exchange, response)| exchange.read(response));
}

#[divan::bench]
fn pem_to_key(bencher: Bencher<'_, '_>) {
    bencher.bench(|| RsaKey::from_pem(inside::PEM));
}
