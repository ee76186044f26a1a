//! Whether the time of a signature tells about the key or the message, by dudect: two classes of calls
//! in random order, and Welch's t between their times. SECURITY.md says what a run of it showed.
//!
//! No gate: a `t` above 5 or so means that the classes differ, and a smaller one proves nothing.

use dudect_bencher::rand::RngExt as _;
use dudect_bencher::{BenchRng, Class, CtRunner, ctbench_main};
use jwt_bearer::{RsaKey, Signer as _};
use rsa::RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs1v15::SigningKey;
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding as _, Signer as _};

const KEY: &[u8] = include_bytes!("../../../tests/data/keys/rsa-2048.der");
/// The key of RFC 7515 §A.2, of as many bits and with the same public exponent.
const OTHER: &str = include_str!("../../../fuzz/seeds/pem/pkcs8.pem");

/// Signatures of one run, both classes together: half a minute where one takes 2.5 ms.
const SAMPLES: usize = 12_000;

/// As long as header and claims of a common server.
type Message = [u8; 256];
const FIXED: Message = [b'a'; 256];

fn key() -> RsaKey {
    RsaKey::from_der(KEY).expect("the key is one")
}

fn classes(rng: &mut BenchRng) -> Vec<Class> {
    let toss = |_| match rng.random() {
        true => Class::Left,
        false => Class::Right,
    };
    (0..SAMPLES).map(toss).collect()
}

/// Of the one class all messages are the same, of the other each is random. All are made before the
/// first is signed, and each has memory of its own.
fn messages(rng: &mut BenchRng) -> Vec<(Class, Message)> {
    let classes = classes(rng).into_iter();
    let with_message = |class| match class {
        Class::Left => (class, FIXED),
        Class::Right => (class, rng.random()),
    };
    classes.map(with_message).collect()
}

/// Random messages, of one class under the one key, of the other under the other.
fn keys(left: &RsaKey, right: &RsaKey, runner: &mut CtRunner, rng: &mut BenchRng) {
    for class in classes(rng) {
        let message: Message = rng.random();
        let key = match class {
            Class::Left => left,
            Class::Right => right,
        };
        runner.run_one(class, || key.sign(&message));
    }
}

/// What the machine's noise makes of no difference at all.
fn same_key_read_twice(runner: &mut CtRunner, rng: &mut BenchRng) {
    keys(&key(), &key(), runner, rng);
}

/// Both moduli are public, and a part of the time depends on them alone.
fn one_key_or_another(runner: &mut CtRunner, rng: &mut BenchRng) {
    let other = RsaKey::from_pem(OTHER).expect("the key is one");
    keys(&key(), &other, runner, rng);
}

fn fixed_or_random_message(runner: &mut CtRunner, rng: &mut BenchRng) {
    let key = key();
    for (class, message) in messages(rng) {
        runner.run_one(class, || key.sign(&message));
    }
}

/// For contrast, what `rsa` does where it is given no random numbers.
fn fixed_or_random_message_unblinded(runner: &mut CtRunner, rng: &mut BenchRng) {
    let key = RsaPrivateKey::from_pkcs1_der(KEY).expect("the key is one");
    let key = SigningKey::<Sha256>::new(key);
    for (class, message) in messages(rng) {
        runner.run_one(class, || key.sign(&message).to_vec());
    }
}

ctbench_main!(
    same_key_read_twice,
    one_key_or_another,
    fixed_or_random_message,
    fixed_or_random_message_unblinded
);
