//! Compares the public API with `tests/data/public-api.txt`, and checks which crates have types in it.
//!
//! ```sh
//! cargo install cargo-public-api --locked --version 0.52.0   # needs a nightly toolchain
//! cargo test --test public_api -- --ignored
//! BLESS=1 cargo test --test public_api -- --ignored          # writes the new API
//! ```

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// Crates whose types may be in the public API. A new major version of one of them needs a new major version here.
const FOREIGN: [&str; 6] = ["alloc", "core", "http", "serde_json", "std", "ureq"];

#[test]
#[ignore = "needs cargo-public-api and a nightly toolchain; .ci/run runs it"]
fn public_api_is_the_recorded_one() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = here.join("tests/data/public-api.txt");
    let printed = Command::new(env!("CARGO"))
        .args(["public-api", "-sss", "--color=never", "--features"])
        .arg("sandbox,encrypted-keys,file-store,redis,ring")
        .env_remove("RUSTUP_TOOLCHAIN") // cargo-public-api chooses the nightly itself
        .current_dir(here)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&printed.stderr);
    assert!(printed.status.success(), "{errors}");
    let printed = String::from_utf8(printed.stdout).unwrap();
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &printed).unwrap();
    }
    let recorded = fs::read_to_string(path).unwrap();
    let [recorded, printed]: [BTreeSet<_>; 2] =
        [&recorded, &printed].map(|text| text.lines().collect());
    let removed: Vec<_> = recorded.difference(&printed).collect();
    let added: Vec<_> = printed.difference(&recorded).collect();
    assert!(
        removed.is_empty() && added.is_empty(),
        "removed: {removed:#?}\nadded: {added:#?}"
    );
}

#[test]
fn public_api_has_types_of_listed_crates_only() {
    let api = include_str!("data/public-api.txt");
    let paths = api.split(|c: char| !(c.is_alphanumeric() || "_:".contains(c)));
    let roots = paths.filter_map(|path| Some(path.split_once("::")?.0));
    let is_crate = |root: &&str| {
        root.starts_with(char::is_lowercase) && !matches!(*root, "jwt_bearer" | "u16")
    };
    let roots = roots.filter(is_crate);
    let foreign: BTreeSet<_> = roots.collect();
    assert_eq!(foreign, FOREIGN.into());
}
