//! How many packages the crate adds to a build, counted in the output of `cargo tree`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Packages of a normal build, this one included.
#[cfg(feature = "ureq")]
const MAX_PACKAGES: usize = 56;
/// Packages with `ring` in place of `rsa`.
#[cfg(feature = "ureq")]
const MAX_PACKAGES_WITH_RING: usize = 36;
/// Packages with `encrypted-keys`: nine for PBES2 with AES, one each for 3DES, SHA-1 and MD5.
#[cfg(all(feature = "ureq", feature = "encrypted-keys"))]
const MAX_PACKAGES_WITH_ENCRYPTED_KEYS: usize = 68;
/// Packages with `ring` and `encrypted-keys`, without ureq and `rsa`.
#[cfg(feature = "encrypted-keys")]
const MAX_PACKAGES_WITH_RING_AND_ENCRYPTED_KEYS: usize = 44;
/// Packages without ureq, which leaves the part without I/O.
const MAX_PACKAGES_WITHOUT_UREQ: usize = 45;

/// The crate needs no async runtime, no second TLS library and no procedural macros.
const UNWANTED: &str = "async-std native-tls openssl openssl-sys serde_derive syn tokio";

/// The complete list, so that a new dependency changes this test too.
const DIRECT: &str = "base64 getrandom hmac http httpdate log percent-encoding rsa serde_core \
    serde_json sha2 ureq zeroize";
/// Dependencies of the features `encrypted-keys`, `sandbox`, `cli` and `redis`. That of `file-store` is only for Unix.
const OPTIONAL: &str = "aes anstream cbc clap clap_complete clap_mangen des dirs httparse md-5 pem pkcs8 \
    rcgen redis ring rustls rustls-native-certs sha1 signal-hook strsim tempfile toml webpki-root-certs x509-parser";

/// Needs the feature, since a test run without it may not have downloaded ureq's dependencies.
#[cfg(feature = "ureq")]
#[test]
fn default_features_stay_within_package_budget() {
    let tree = cargo_tree(&[]);
    check(&tree, MAX_PACKAGES);
    assert!(names(&tree).contains("ureq"), "{tree}");
}

/// RUSTSEC-2023-0071 is an advisory on `rsa` that names no fixed version.
#[cfg(feature = "ureq")]
#[test]
fn ring_without_rsa_stays_within_package_budget() {
    let tree = cargo_tree(&["--no-default-features", "--features=ureq,ring"]);
    check(&tree, MAX_PACKAGES_WITH_RING);
    assert!(!names(&tree).contains("rsa"), "{tree}");
}

#[cfg(all(feature = "ureq", feature = "encrypted-keys"))]
#[test]
fn encrypted_keys_stay_within_package_budget() {
    check(
        &cargo_tree(&["--features=encrypted-keys"]),
        MAX_PACKAGES_WITH_ENCRYPTED_KEYS,
    );
}

#[cfg(feature = "encrypted-keys")]
#[test]
fn encrypted_keys_do_not_bring_rsa() {
    let tree = cargo_tree(&["--no-default-features", "--features=ring,encrypted-keys"]);
    check(&tree, MAX_PACKAGES_WITH_RING_AND_ENCRYPTED_KEYS);
    assert!(!names(&tree).contains("rsa"), "{tree}");
}

#[test]
fn rsa_without_ureq_stays_within_package_budget() {
    let tree = cargo_tree(&["--no-default-features", "--features=rsa"]);
    check(&tree, MAX_PACKAGES_WITHOUT_UREQ);
    assert!(!names(&tree).contains("ureq"), "{tree}");
}

#[test]
fn direct_dependencies_match_the_list() {
    let mut listed = section("dependencies");
    // Optional, but in a default build.
    let default = ["rsa", "ureq"].map(|name| (name.to_owned(), listed.remove(name).unwrap()));
    let (optional, mut always): (Vec<_>, Vec<_>) =
        (listed.iter()).partition(|(_, value)| value.contains("optional = true"));
    always.extend(default.iter().map(|(name, value)| (name, value)));
    always.sort();
    assert!(
        always.iter().map(|(name, _)| *name).eq(DIRECT.split(' ')),
        "{always:#?}"
    );
    assert!(
        optional
            .iter()
            .map(|(name, _)| *name)
            .eq(OPTIONAL.split(' ')),
        "{optional:#?}"
    );
    let manifest = manifest();
    let sections = manifest.lines().filter(|line| line.starts_with('['));
    let sections: Vec<_> = sections
        .filter(|line| line.contains("dependencies"))
        .collect();
    let unix = "[target.'cfg(unix)'.dependencies]";
    let loom = "[target.'cfg(loom)'.dependencies]";
    let dev = "[target.'cfg(not(loom))'.dev-dependencies]";
    assert_eq!(sections, ["[dependencies]", unix, loom, dev]);
}

#[test]
fn manifest_keeps_edition_and_rust_version() {
    let package = section("package");
    assert_eq!(package["edition"], "\"2024\"");
    assert!(package["rust-version"].starts_with("\"1.85\""));
    assert!(!manifest().contains("[workspace"));
}

/// A package from a git repository or a path has no checksum, and one of another registry has another source.
#[test]
fn lock_file_names_one_registry_and_a_checksum_per_package() {
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"));
    let lock = lock.unwrap();
    let packages = lock.split("[[package]]\n").skip(1);
    let value = |package: &str, key: &str| {
        let value = package.lines().find_map(|line| line.strip_prefix(key))?;
        Some(value.trim_matches(|c| "= \"".contains(c)).to_owned())
    };
    let (own, foreign): (Vec<_>, Vec<_>) =
        packages.partition(|package| value(package, "name").unwrap() == "jwt-bearer");
    assert_eq!(own.len(), 1);
    let sources: BTreeSet<_> = foreign
        .iter()
        .map(|package| value(package, "source"))
        .collect();
    assert_eq!(sources.len(), 1, "{sources:?}");
    for package in foreign {
        let checksum = value(package, "checksum").unwrap_or_default();
        let is_hex = checksum.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(checksum.len() == 64 && is_hex, "{package}");
    }
}

/// Returns the tree of a normal build for this machine. Offline: the packages were downloaded to build this test.
fn cargo_tree(features: &[&str]) -> String {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--edges=normal", "--prefix=none", "--color=never"])
        .args(["--locked", "--offline"])
        .args(features)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "{errors}");
    String::from_utf8(tree.stdout).unwrap()
}

/// Returns name and version of each line. A path or a mark, `(*)` or `(proc-macro)`, may follow them.
fn packages(tree: &str) -> BTreeSet<(&str, &str)> {
    let words = tree.lines().map(|line| line.split(' '));
    words
        .map(|mut words| (words.next().unwrap(), words.next().unwrap()))
        .collect()
}

fn names(tree: &str) -> BTreeSet<&str> {
    packages(tree).into_iter().map(|(name, _)| name).collect()
}

#[track_caller]
fn check(tree: &str, max: usize) {
    let (packages, names) = (packages(tree), names(tree));
    assert!(
        packages.len() <= max,
        "{} packages: {packages:#?}",
        packages.len()
    );
    assert_eq!(
        packages.len(),
        names.len(),
        "two versions of one package: {packages:#?}"
    );
    for unwanted in UNWANTED.split(' ') {
        assert!(!names.contains(unwanted), "{unwanted}");
    }
    assert!(!tree.contains("(proc-macro)"), "{tree}");
}

/// Returns the original manifest, which a published package contains under another name.
fn manifest() -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let original = fs::read_to_string(here.join("Cargo.toml.orig"));
    original.unwrap_or_else(|_| fs::read_to_string(here.join("Cargo.toml")).unwrap())
}

/// Returns the keys and values of a section of the manifest.
fn section(name: &str) -> BTreeMap<String, String> {
    let manifest = manifest();
    let (_, text) = manifest.split_once(&format!("[{name}]\n")).unwrap();
    let lines = text.lines().take_while(|line| !line.starts_with('['));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

#[test]
fn packages_ignores_cargo_tree_marks_and_paths() {
    let tree =
        "a v1.0.0 (/home/me/a)\nb v2.0.0\nc v3.0.0 (proc-macro)\nb v2.0.0 (*)\nb v2.0.1 (*)\n";
    let all = [
        ("a", "v1.0.0"),
        ("b", "v2.0.0"),
        ("b", "v2.0.1"),
        ("c", "v3.0.0"),
    ];
    assert_eq!(packages(tree), all.into());
}

#[test]
fn check_fails_when_package_budget_is_exceeded() {
    let fails = |tree: &str| std::panic::catch_unwind(|| check(tree, 2)).is_err();
    assert!(!fails("a v1.0.0\nb v1.0.0\na v1.0.0 (*)\n"));
    assert!(fails("a v1.0.0\nb v1.0.0\nc v1.0.0\n"));
    assert!(fails("a v1.0.0\na v1.0.1\n"));
    assert!(fails("a v1.0.0\ntokio v1.0.0\n"));
    assert!(fails("a v1.0.0\nb v1.0.0 (proc-macro)\n"));
}
