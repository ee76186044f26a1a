//! What is public, line by line, and whose types are in it. A change here is a decision.
//!
//! ```sh
//! cargo install cargo-public-api --locked --version 0.52.0   # needs a nightly toolchain
//! cargo test --test public_api -- --ignored
//! BLESS=1 cargo test --test public_api -- --ignored          # takes the new face
//! ```

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// Crates whose types may be in our signatures: a new major version of one is one of ours.
const FOREIGN: [&str; 6] = ["alloc", "core", "http", "serde_json", "std", "ureq"];

#[test]
#[ignore = "needs cargo-public-api and a nightly toolchain: .ci/run runs it"]
fn the_public_face_is_the_one_that_is_written_down() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let written = here.join("tests/data/public-api.txt");
    let printed = Command::new(env!("CARGO"))
        .args(["public-api", "-sss", "--color=never", "--features"])
        .arg("sandbox,encrypted-keys,file-store,redis")
        .env_remove("RUSTUP_TOOLCHAIN") // it asks for the nightly by itself
        .current_dir(here)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&printed.stderr);
    assert!(printed.status.success(), "{errors}");
    let printed = String::from_utf8(printed.stdout).unwrap();
    if env::var_os("BLESS").is_some() {
        fs::write(&written, &printed).unwrap();
    }
    let written = fs::read_to_string(written).unwrap();
    let [written, printed]: [BTreeSet<_>; 2] =
        [&written, &printed].map(|text| text.lines().collect());
    let gone: Vec<_> = written.difference(&printed).collect();
    let new: Vec<_> = printed.difference(&written).collect();
    assert!(
        gone.is_empty() && new.is_empty(),
        "gone: {gone:#?}\nnew: {new:#?}"
    );
}

#[test]
fn only_these_crates_have_types_in_the_public_face() {
    let face = include_str!("data/public-api.txt");
    let paths = face.split(|c: char| !(c.is_alphanumeric() || "_:".contains(c)));
    let roots = paths.filter_map(|path| Some(path.split_once("::")?.0));
    let is_crate = |root: &&str| {
        root.starts_with(char::is_lowercase) && !matches!(*root, "jwt_bearer" | "u16")
    };
    let roots = roots.filter(is_crate);
    let foreign: BTreeSet<_> = roots.collect();
    assert_eq!(foreign, FOREIGN.into());
}
