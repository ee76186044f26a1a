//! One RS256 signature: ours beside others.
//!
//! ```sh
//! signing warm  KEY.der ROUNDS   # a line a signature, in turn: name, nanoseconds
//! signing first KEY.der NAME     # the first one of this process: name, key read, signed
//! ```
//!
//! KEY.der is PKCS#8. All sign the same message, and the signatures must be the same.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;
use std::{env, fs};

use jwt_bearer::{RsaKey, Signer as _};
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::signature::{RandomizedSigner as _, SignatureEncoding as _, Signer as _};

/// As long as header and claims of an assertion are.
const MESSAGE: &[u8] = &[b'x'; 300];

type Sign = Box<dyn Fn() -> Vec<u8>>;
type Load = fn(&[u8]) -> Result<Sign, Box<dyn Error>>;

const ALL: &[(&str, Load)] = &[
    ("ours", |der| {
        let key = RsaKey::from_der(der)?;
        Ok(Box::new(move || key.sign(MESSAGE).unwrap()))
    }),
    ("rsa, blinded", |der| {
        let key = rsa::pkcs1v15::SigningKey::<rsa::sha2::Sha256>::new(
            rsa::RsaPrivateKey::from_pkcs8_der(der)?,
        );
        let sign = move || {
            key.sign_with_rng(&mut rsa::rand_core::OsRng, MESSAGE)
                .to_vec()
        };
        Ok(Box::new(sign))
    }),
    ("rsa, not blinded", |der| {
        let key = rsa::pkcs1v15::SigningKey::<rsa::sha2::Sha256>::new(
            rsa::RsaPrivateKey::from_pkcs8_der(der)?,
        );
        Ok(Box::new(move || key.sign(MESSAGE).to_vec()))
    }),
    ("ring", |der| {
        // As examples/ring_signer.rs does it.
        let key =
            ring::signature::RsaKeyPair::from_pkcs8(der).map_err(|error| error.to_string())?;
        Ok(Box::new(move || {
            let mut signature = vec![0; key.public().modulus_len()];
            let random = ring::rand::SystemRandom::new();
            key.sign(
                &ring::signature::RSA_PKCS1_SHA256,
                &random,
                MESSAGE,
                &mut signature,
            )
            .unwrap();
            signature
        }))
    }),
    ("aws-lc-rs", |der| {
        let key =
            aws_lc_rs::signature::RsaKeyPair::from_pkcs8(der).map_err(|error| error.to_string())?;
        Ok(Box::new(move || {
            let mut signature = vec![0; key.public_modulus_len()];
            let random = aws_lc_rs::rand::SystemRandom::new();
            key.sign(
                &aws_lc_rs::signature::RSA_PKCS1_SHA256,
                &random,
                MESSAGE,
                &mut signature,
            )
            .unwrap();
            signature
        }))
    }),
    ("openssl", |der| {
        let key = openssl::pkey::PKey::private_key_from_der(der)?;
        Ok(Box::new(move || {
            let hash = openssl::hash::MessageDigest::sha256();
            let mut signer = openssl::sign::Signer::new(hash, &key).unwrap();
            signer.sign_oneshot_to_vec(MESSAGE).unwrap()
        }))
    }),
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [what, file, which] = arguments.as_slice() else {
        return Err("three arguments are wanted".into());
    };
    let der = fs::read(file)?;
    match what.as_str() {
        "warm" => warm(&der, which.parse()?),
        "first" => first(&der, which),
        _ => Err("warm or first?".into()),
    }
}

fn warm(der: &[u8], rounds: usize) -> Result<(), Box<dyn Error>> {
    let mut all = Vec::new();
    for (name, load) in ALL {
        let sign = load(der)?;
        all.push((name, sign));
    }
    let expected = all[0].1();
    for (name, sign) in &all {
        assert_eq!(sign(), expected, "{name}");
    }
    for _ in 0..rounds {
        for (name, sign) in &all {
            let begun = Instant::now();
            black_box(sign());
            println!("{name}\t{}", begun.elapsed().as_nanos());
        }
        all.rotate_left(1);
    }
    Ok(())
}

fn first(der: &[u8], which: &str) -> Result<(), Box<dyn Error>> {
    let (name, load) = ALL
        .iter()
        .find(|(name, _)| *name == which)
        .ok_or("no such signer")?;
    let begun = Instant::now();
    let sign = load(der)?;
    let loaded = begun.elapsed();
    black_box(sign());
    println!(
        "{name}\t{}\t{}",
        loaded.as_nanos(),
        (begun.elapsed() - loaded).as_nanos()
    );
    Ok(())
}
