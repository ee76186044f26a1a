//! Project Wycheproof's vectors for HMAC against `HmacKey`. The vectors for signatures are next to the verifier, in
//! `src/sandbox/verify.rs`.

use jwt_bearer::{HmacAlgorithm, HmacKey, Signer as _};
use wycheproof::TestResult;
use wycheproof::mac::{TestName, TestSet};

#[test]
fn hmac_key_signs_the_tag_of_each_valid_vector_and_of_no_other() {
    for (name, algorithm, length) in [
        (TestName::HmacSha256, HmacAlgorithm::HS256, 32),
        (TestName::HmacSha384, HmacAlgorithm::HS384, 48),
        (TestName::HmacSha512, HmacAlgorithm::HS512, 64),
    ] {
        let set = TestSet::load(name).unwrap();
        let mut seen = 0;
        for group in &set.test_groups {
            for test in &group.tests {
                let key = HmacKey::new(test.key.to_vec()).unwrap();
                let mac = key.with_algorithm(algorithm).sign(&test.msg).unwrap();
                assert_eq!(mac.len(), length);
                // Some tags are truncated; RFC 7518 §3.2 uses the whole MAC.
                let same = mac[..group.tag_size / 8] == test.tag[..];
                let is_valid = test.result == TestResult::Valid;
                assert_eq!(same, is_valid, "vector {}", test.tc_id);
                seen += 1;
            }
        }
        assert_eq!(seen, set.number_of_tests);
    }
}
