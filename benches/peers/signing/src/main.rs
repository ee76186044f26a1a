//! Times an RS256 signature by this crate and by others.
//!
//! ```sh
//! signing warm  KEY.der ROUNDS   # prints a line for each signature, in rotating order: name, nanoseconds
//! signing first KEY.der NAME     # the first signature of the process: name, nanoseconds to read the key, to sign
//! ```
//!
//! KEY.der is PKCS#8. All sign the same message, and their signatures must be equal.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;
use std::{env, fs};

use jwt_bearer::{RsaKey, Signer as _};
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::signature::{RandomizedSigner as _, SignatureEncoding as _, Signer as _};

/// As long as the header and claims of a usual assertion.
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
        // The same as in examples/ring_signer.rs.
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
    let [mode, file, argument] = arguments.as_slice() else {
        return Err("usage: signing warm KEY.der ROUNDS | first KEY.der NAME".into());
    };
    let der = fs::read(file)?;
    match mode.as_str() {
        "warm" => warm(&der, argument.parse()?),
        "first" => first(&der, argument),
        _ => Err("the first argument is neither warm nor first".into()),
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
            let began = Instant::now();
            black_box(sign());
            println!("{name}\t{}", began.elapsed().as_nanos());
        }
        all.rotate_left(1);
    }
    Ok(())
}

fn first(der: &[u8], wanted: &str) -> Result<(), Box<dyn Error>> {
    let (name, load) = ALL
        .iter()
        .find(|(name, _)| *name == wanted)
        .ok_or("no signer has this name")?;
    let began = Instant::now();
    let sign = load(der)?;
    let loaded = began.elapsed();
    black_box(sign());
    println!(
        "{name}\t{}\t{}",
        loaded.as_nanos(),
        (began.elapsed() - loaded).as_nanos()
    );
    Ok(())
}
