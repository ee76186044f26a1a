//! Measures with dudect whether the time of a signature depends on the key or the message: two classes of calls in
//! random order, and Welch's t-test on their times. SECURITY.md has the results of a run.
//!
//! CI does not run this: a `t` above about 5 means that the classes differ, but a smaller one proves nothing.

use dudect_bencher::rand::RngExt as _;
use dudect_bencher::{BenchRng, Class, CtRunner, ctbench_main};
use jwt_bearer::{RingRsaKey, RsaKey, Signer};
use rsa::RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs1v15::SigningKey;
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding as _, Signer as _};

const KEY: &[u8] = include_bytes!("../../../tests/data/keys/rsa-2048.der");
/// The key of RFC 7515 §A.2, with the same number of bits and the same public exponent.
const OTHER: &str = include_str!("../../../fuzz/seeds/pem/pkcs8.pem");

/// Signatures of a run, both classes together. At 2 ms each, a run takes half a minute.
const SAMPLES: usize = 12_000;

/// As long as the header and claims of a usual assertion.
type Message = [u8; 256];
const FIXED: Message = [b'a'; 256];

fn key() -> RsaKey {
    RsaKey::from_der(KEY).expect("the key is valid")
}

fn ring_key() -> RingRsaKey {
    RingRsaKey::from_der(KEY).expect("the key is valid")
}

fn classes(rng: &mut BenchRng) -> Vec<Class> {
    let random_class = |_| match rng.random() {
        true => Class::Left,
        false => Class::Right,
    };
    (0..SAMPLES).map(random_class).collect()
}

/// Messages that are equal in one class and random in the other. All are made before the first is signed, and each
/// has its own memory.
fn messages(rng: &mut BenchRng) -> Vec<(Class, Message)> {
    let classes = classes(rng).into_iter();
    let with_message = |class| match class {
        Class::Left => (class, FIXED),
        Class::Right => (class, rng.random()),
    };
    classes.map(with_message).collect()
}

/// Signs random messages with another key in each class.
fn sign_with_keys<S: Signer>(left: &S, right: &S, runner: &mut CtRunner, rng: &mut BenchRng) {
    for class in classes(rng) {
        let message: Message = rng.random();
        let key = match class {
            Class::Left => left,
            Class::Right => right,
        };
        runner.run_one(class, || key.sign(&message));
    }
}

/// A control: the classes are the same, so this is the noise of the machine.
fn same_key_read_twice(runner: &mut CtRunner, rng: &mut BenchRng) {
    sign_with_keys(&key(), &key(), runner, rng);
}

/// A difference here says little: part of the time depends on the moduli, which are public.
fn one_key_or_another(runner: &mut CtRunner, rng: &mut BenchRng) {
    let other = RsaKey::from_pem(OTHER).expect("the key is valid");
    sign_with_keys(&key(), &other, runner, rng);
}

fn fixed_or_random_message(runner: &mut CtRunner, rng: &mut BenchRng) {
    let key = key();
    for (class, message) in messages(rng) {
        runner.run_one(class, || key.sign(&message));
    }
}

fn ring_one_key_or_another(runner: &mut CtRunner, rng: &mut BenchRng) {
    let other = RingRsaKey::from_pem(OTHER).expect("the key is valid");
    sign_with_keys(&ring_key(), &other, runner, rng);
}

/// `ring` does not blind.
fn ring_fixed_or_random_message(runner: &mut CtRunner, rng: &mut BenchRng) {
    let key = ring_key();
    for (class, message) in messages(rng) {
        runner.run_one(class, || key.sign(&message));
    }
}

/// A control: without random numbers, `rsa` does not blind.
fn fixed_or_random_message_unblinded(runner: &mut CtRunner, rng: &mut BenchRng) {
    let key = RsaPrivateKey::from_pkcs1_der(KEY).expect("the key is valid");
    let key = SigningKey::<Sha256>::new(key);
    for (class, message) in messages(rng) {
        runner.run_one(class, || key.sign(&message).to_vec());
    }
}

ctbench_main!(
    same_key_read_twice,
    one_key_or_another,
    fixed_or_random_message,
    fixed_or_random_message_unblinded,
    ring_one_key_or_another,
    ring_fixed_or_random_message
);
