//! Times an RS256 signature by this crate and by others.
//!
//! ```sh
//! signing warm  KEY.der ROUNDS   # prints a line for each signature, in rotating order: name, nanoseconds
//! signing first KEY.der NAME     # the first signature of the process: name, nanoseconds to read the key, to sign
//! signing algorithms KEYS ROUNDS # a line for each signature of each algorithm: type of key, algorithm, nanoseconds
//! ```
//!
//! KEY.der is PKCS#8; KEYS is a folder with rsa-2048.der, ec.pem, ec-384.pem and ed25519.pem. The first two modes sign
//! RS256, whose signatures must be equal.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;
use std::{env, fs};

use jwt_bearer::{
    EcKey, Ed25519Key, HmacAlgorithm, HmacKey, RingRsaKey, RsaAlgorithm, RsaKey, Signer as _,
};
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
        let key = RingRsaKey::from_der(der)?;
        Ok(Box::new(move || key.sign(MESSAGE).unwrap()))
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
        return Err(
            "usage: signing warm KEY.der ROUNDS | first KEY.der NAME | algorithms KEYS ROUNDS"
                .into(),
        );
    };
    let der = fs::read(file).unwrap_or_default();
    match mode.as_str() {
        "warm" => warm(&der, argument.parse()?),
        "first" => first(&der, argument),
        "algorithms" => algorithms(file, argument.parse()?),
        _ => Err("the first argument is no mode".into()),
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

fn algorithms(folder: &str, rounds: usize) -> Result<(), Box<dyn Error>> {
    let read = |name: &str| fs::read(format!("{folder}/{name}"));
    let rsa = read("rsa-2048.der")?;
    let mut all: Vec<(&str, Box<dyn jwt_bearer::Signer>)> = Vec::new();
    for algorithm in [
        RsaAlgorithm::RS256,
        RsaAlgorithm::RS384,
        RsaAlgorithm::RS512,
        RsaAlgorithm::PS256,
        RsaAlgorithm::PS384,
        RsaAlgorithm::PS512,
    ] {
        let key = RsaKey::from_der(&rsa)?.with_algorithm(algorithm);
        all.push(("RsaKey", Box::new(key)));
        let key = RingRsaKey::from_der(&rsa)?.with_algorithm(algorithm);
        all.push(("RingRsaKey", Box::new(key)));
    }
    for file in ["ec.pem", "ec-384.pem"] {
        all.push(("EcKey", Box::new(EcKey::read(read(file)?)?)));
    }
    let key = Ed25519Key::read(read("ed25519.pem")?)?;
    all.push(("Ed25519Key", Box::new(key)));
    for algorithm in [
        HmacAlgorithm::HS256,
        HmacAlgorithm::HS384,
        HmacAlgorithm::HS512,
    ] {
        let key = HmacKey::new([7; 64])?.with_algorithm(algorithm);
        all.push(("HmacKey", Box::new(key)));
    }
    for _ in 0..rounds {
        for (name, key) in &all {
            let began = Instant::now();
            black_box(key.sign(MESSAGE).map_err(|error| error.to_string())?);
            println!(
                "{name}\t{}\t{}",
                key.algorithm(),
                began.elapsed().as_nanos()
            );
        }
        all.rotate_left(1);
    }
    Ok(())
}
