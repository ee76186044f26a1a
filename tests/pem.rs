//! PEM text as people have it. A key that can be read signs as RFC 7515 §A.2 prints and lists what
//! was repaired; for any other text the error says what it is, and quotes nothing of it.
//!
//! The mangled texts are written out as people have them. A `\` at the end of a line belongs to
//! Rust: the text continues without a newline.

use std::error::Error as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jwt_bearer::{ErrorKind, RsaKey, Signer as _};

/// The key of RFC 7515 §A.2 in PKCS#1: public, for tests only.
const CLEAN: &str = "\
-----BEGIN RSA PRIVATE KEY-----
MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0
l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC
gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX
ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD
Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8
q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S
bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf
UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O
n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK
Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f
40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU
bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE
tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG
BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE
fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs
p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD
zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7
DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4
U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm
27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN
54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC
Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S
0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z
NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE
6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1
-----END RSA PRIVATE KEY-----
";

/// The key of `CLEAN` in PKCS#8.
const CLEAN_PKCS8: &str = "\
-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh+BYK4uPJtGXO
jS1lYmM2K5J9vinh8CR3/BYlzJChNuOL2TSXxbbqY913EeZ8dCn5VrD7io8ImtxL
aYk8wTM/U+3QGbh3hCUv7JFP5IV3aVlL6kKA0ywPVb9ilE8TA5a8bpvfbr3SvaNn
juygxmj3AbONv/s4yDQs4v5tJ/reSlpIdJed1LnPmt7Ex1sFhSwsD174pcF1A5L5
ROjtZMEQxrZHYJqkeDrrnGya11UxMFBji4NmXG9veoKjlnAqH2QbgtPr8jkiGUkf
toaHLFcW9Qr4NY2ai50Xw0Byj3+H2JoY2PyrZ62EWQwuz3WTOTY8BwNNb2BvniHg
VFbK5emhAgMBAAECggEAEq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyW
PEAeP88vLNO97IjlA7/GQ5sLKMgvfTeXZx9SE+7YwVol2NXOoAJe46sui395IW/G
O+pWJ1O0BkTGoVEn2bKVRUCgu+GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzj
kn439X0M/V51gfpRLI9JYanrC4D4qAdGcopV/0ZHHzQlBjudU2QvXt4ehNYTCBr6
XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl/x/jTj3ccPDVZFD9pIuhLhBOneufuBiB
4cS98l2SR/RQyGWSeWjnczT0QU91p1DhOVRuOopznQKBgQDgHMQQ60imZV1URk0K
pLttoLhyt3SmqdEf/kgHePDdtzEafpAu+cS191R2JiuoF2yzWXnwFDcqGigp5BNr
0AHQfD8/Lk8l1Mk09jxxCfui5nYooNyac8YFjm3vItzVCVDnEd3BbVWG8qf6deqE
lMGAg+C2V0L4oNXnP7LZcPAZRwKBgQC5A8R+CZW2MvRTLLHzwZkUXV866cff7tx6
kqa0finGG0KgeqlaZPxgCZnFp7AeAcCMtiynVlJ7vMVgePsLq6XtON4tB5kP9jAP
rq3rbAOal78eUH5OcED6eNuCV8ixEu1eWcPNCS/l1OW1EnXUEoEHKl54Xrrz2uNw
kgMTP1FZ1wKBgAcCn1dwJKufzBWQxWQp1vsM5fggqPN1qGb5y0MAk3g7/Ls5bkUp
5u9SN0Ai3Ya6hNnvWJMb7sXQX6U/zyO2M/hTip7tUeh7CXgwo59dkpN75gJLVds2
9+DAncu3KXU4f2Fa+7bLNrur53k8KwPOq2bbuTG69QtV7Jr5MR0AHWKNAoGBAIf/
evpitUf+4JYbLpvNXWcY052Mpz22aR84mY3nh3F2LF2mjMJDpTg7FmuyPcVw6EcG
yoAe9fa65iNqCq+jdw6PVNGo2hxfjSiZ8IIzHdsPXI89//pMjZcQK9r+CCoRjaZj
OYiIDktVWZzmevJuv6WywUqd57LE3Zar3dLSIkx1AoGAIYd7DHOhrWvxkwPQsRM2
tOgrjbcrfvtQJipd+DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd/QJQ3
ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp/gh6A56
03k2+ZQwVK0JKSHuLFkuQ3U=
-----END PRIVATE KEY-----
";

/// A self-signed certificate of the key of `CLEAN`.
const CERTIFICATE: &str = include_str!("data/keys/certificate.pem");

/// Returns message and signature as the RFC prints them.
fn rfc7515_a2() -> (Vec<u8>, Vec<u8>) {
    let vectors = include_str!("data/vectors.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    let jws = vectors["rfc7515_a2_rs256"]["jws"].as_str().unwrap();
    let (message, signature) = jws.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    (message.as_bytes().to_vec(), signature)
}

/// Checks that `text` is read as the key of RFC 7515 §A.2, with exactly these repairs.
#[track_caller]
fn reads(text: impl AsRef<[u8]>, repairs: &[&str]) {
    let key = RsaKey::from_pem(text).unwrap();
    let (message, signature) = rfc7515_a2();
    assert_eq!(key.sign(&message).unwrap(), signature);
    assert_eq!(key.repairs(), repairs);
}

/// Checks that `text` is refused with `message`, and that the error quotes no part of it.
#[track_caller]
fn refuses(text: impl AsRef<[u8]>, message: &str) {
    let text = text.as_ref();
    let error = RsaKey::from_pem(text).unwrap_err();
    assert_eq!(error.to_string(), message);
    assert_eq!(error.kind(), ErrorKind::Key);
    assert!(error.source().is_none());
    for printed in [
        format!("{error}"),
        format!("{error:?}"),
        format!("{error:#?}"),
    ] {
        for run in printed.as_bytes().windows(16) {
            assert!(!text.windows(16).any(|part| part == run), "{printed}");
        }
    }
}

/// Returns `CLEAN` with the only occurrence of `from` replaced.
#[track_caller]
fn clean_but(from: &str, to: &str) -> String {
    assert_eq!(CLEAN.matches(from).count(), 1);
    CLEAN.replacen(from, to, 1)
}

// Nothing to repair

#[test]
fn well_formed_pem_needs_no_repair() {
    reads(CLEAN, &[]);
    reads(CLEAN_PKCS8, &[]);
}

#[test]
fn crlf_needs_no_repair() {
    reads(
        "\
-----BEGIN RSA PRIVATE KEY-----\r\n\
MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0\r\n\
l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC\r\n\
gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX\r\n\
ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD\r\n\
Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8\r\n\
q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S\r\n\
bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf\r\n\
UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O\r\n\
n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK\r\n\
Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f\r\n\
40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU\r\n\
bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE\r\n\
tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG\r\n\
BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE\r\n\
fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs\r\n\
p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD\r\n\
zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7\r\n\
DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4\r\n\
U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm\r\n\
27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN\r\n\
54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC\r\n\
Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S\r\n\
0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z\r\n\
NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE\r\n\
6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1\r\n\
-----END RSA PRIVATE KEY-----\r\n\
",
        &[],
    );
}

#[test]
fn carriage_returns_alone_need_no_repair() {
    // RFC 7468 §3: eol = CRLF / CR / LF
    reads(
        "\
-----BEGIN RSA PRIVATE KEY-----\r\
MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0\r\
l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC\r\
gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX\r\
ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD\r\
Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8\r\
q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S\r\
bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf\r\
UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O\r\
n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK\r\
Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f\r\
40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU\r\
bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE\r\
tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG\r\
BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE\r\
fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs\r\
p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD\r\
zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7\r\
DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4\r\
U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm\r\
27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN\r\
54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC\r\
Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S\r\
0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z\r\
NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE\r\
6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1\r\
-----END RSA PRIVATE KEY-----\r\
",
        &[],
    );
}

#[test]
fn missing_final_newline_needs_no_repair() {
    reads(
        "\
-----BEGIN RSA PRIVATE KEY-----
MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0
l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC
gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX
ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD
Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8
q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S
bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf
UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O
n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK
Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f
40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU
bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE
tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG
BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE
fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs
p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD
zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7
DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4
U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm
27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN
54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC
Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S
0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z
NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE
6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1
-----END RSA PRIVATE KEY-----",
        &[],
    );
}

#[test]
fn trailing_blank_lines_need_no_repair() {
    reads(format!("{CLEAN}\n\n  \n\t\n"), &[]);
    reads(format!("{CLEAN}\r\n\r\n"), &[]);
}

#[test]
fn trailing_text_needs_no_repair() {
    reads(
        format!("{CLEAN}# rotated 2024-01-31, see \"keys\\new\"\n"),
        &[],
    );
    reads(format!("{}# on the same line", CLEAN.trim_end()), &[]);
}

#[test]
fn leading_text_needs_no_repair() {
    // as `openssl pkcs12 -nodes` writes them
    let attributes = "\
Bag Attributes
    friendlyName: salesforce \"ci\"
    localKeyID: 54 69 6D 65 20 31 37 30 30 30 30 30 30 30 30 30 30 30
Key Attributes: <No Attributes>
";
    reads(format!("{attributes}{CLEAN_PKCS8}"), &[]);
    reads(format!("\n\n\n{CLEAN}"), &[]);
}

#[test]
fn certificate_before_key_needs_no_repair() {
    reads(format!("{CERTIFICATE}{CLEAN}"), &[]);
    reads(format!("{CERTIFICATE}{CERTIFICATE}{CLEAN_PKCS8}"), &[]);
}

#[test]
fn certificate_after_key_needs_no_repair() {
    reads(format!("{CLEAN}{CERTIFICATE}"), &[]);
    reads(format!("{CLEAN_PKCS8}{CERTIFICATE}{CERTIFICATE}"), &[]);
}

#[test]
fn private_key_beside_a_public_one_is_read() {
    let public = include_str!("data/keys/public-pkcs1.pem");
    reads(format!("{public}{CLEAN}"), &[]);
}

// One repair

#[test]
fn byte_order_mark_is_repaired() {
    reads(
        format!("\u{feff}{CLEAN}"),
        &["there was a byte order mark before the key"],
    );
}

#[test]
fn indentation_is_repaired() {
    reads(
        "    -----BEGIN RSA PRIVATE KEY-----
    MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0
    l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC
    gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX
    ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD
    Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8
    q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S
    bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf
    UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O
    n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK
    Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f
    40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU
    bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE
    tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG
    BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE
    fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs
    p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD
    zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7
    DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4
    U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm
    27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN
    54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC
    Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S
    0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z
    NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE
    6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1
    -----END RSA PRIVATE KEY-----
",
        &["lines were indented"],
    );
}

#[test]
fn indentation_by_tabs_is_repaired() {
    reads(
        "\t-----BEGIN RSA PRIVATE KEY-----
\tMIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0
\tl8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC
\tgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX
\tndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD
\tZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8
\tq2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S
\tbEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf
\tUhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O
\tn95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK
\tVf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f
\t40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU
\tbjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE
\ttfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG
\tBY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE
\tfgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs
\tp1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD
\tzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7
\tDOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4
\tU4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm
\t27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN
\t54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC
\tMx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S
\t0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z
\tNqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE
\t6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1
\t-----END RSA PRIVATE KEY-----
",
        &["lines were indented"],
    );
}

#[test]
fn indentation_of_all_lines_but_the_first_is_repaired() {
    // as from a pasted YAML block
    reads(CLEAN.replace('\n', "\n  "), &["lines were indented"]);
}

#[test]
fn surrounding_quotes_are_repaired() {
    reads(format!("\"{CLEAN}\""), &["the key was in quotes"]);
    reads(format!("'{CLEAN}'"), &["the key was in quotes"]);
    reads(
        format!("PRIVATE_KEY=\"{CLEAN}\"\n"),
        &["the key was in quotes"],
    );
}

#[test]
fn literal_n_escapes_are_repaired() {
    reads(
        "\
-----BEGIN RSA PRIVATE KEY-----\\n\
MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0\\n\
l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC\\n\
gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX\\n\
ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD\\n\
Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8\\n\
q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S\\n\
bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf\\n\
UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O\\n\
n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK\\n\
Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f\\n\
40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU\\n\
bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE\\n\
tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG\\n\
BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE\\n\
fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs\\n\
p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD\\n\
zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7\\n\
DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4\\n\
U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm\\n\
27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN\\n\
54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC\\n\
Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S\\n\
0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z\\n\
NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE\\n\
6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1\\n\
-----END RSA PRIVATE KEY-----\\n\
",
        &["line ends were written as \\n"],
    );
}

#[test]
fn literal_r_n_escapes_are_repaired() {
    reads(
        "\
-----BEGIN RSA PRIVATE KEY-----\\r\\n\
MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0\\r\\n\
l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC\\r\\n\
gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX\\r\\n\
ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD\\r\\n\
Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8\\r\\n\
q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S\\r\\n\
bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf\\r\\n\
UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O\\r\\n\
n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK\\r\\n\
Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f\\r\\n\
40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU\\r\\n\
bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE\\r\\n\
tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG\\r\\n\
BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE\\r\\n\
fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs\\r\\n\
p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD\\r\\n\
zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7\\r\\n\
DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4\\r\\n\
U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm\\r\\n\
27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN\\r\\n\
54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC\\r\\n\
Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S\\r\\n\
0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z\\r\\n\
NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE\\r\\n\
6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1\\r\\n\
-----END RSA PRIVATE KEY-----\\r\\n\
",
        &["line ends were written as \\n"],
    );
}

#[test]
fn spaces_for_newlines_are_repaired() {
    reads(
        "\
-----BEGIN RSA PRIVATE KEY----- \
MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0 \
l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC \
gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX \
ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD \
Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8 \
q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S \
bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf \
UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O \
n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK \
Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f \
40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU \
bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE \
tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG \
BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE \
fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs \
p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD \
zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7 \
DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4 \
U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm \
27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN \
54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC \
Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S \
0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z \
NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE \
6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1 \
-----END RSA PRIVATE KEY-----",
        &["line ends were missing"],
    );
}

#[test]
fn body_on_one_line_is_repaired() {
    reads(
        "\
-----BEGIN RSA PRIVATE KEY-----
MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0\
l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC\
gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX\
ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD\
Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8\
q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S\
bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf\
UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O\
n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK\
Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f\
40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU\
bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE\
tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG\
BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE\
fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs\
p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD\
zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7\
DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4\
U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm\
27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN\
54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC\
Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S\
0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z\
NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE\
6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1\
\n-----END RSA PRIVATE KEY-----
",
        &["line ends were missing"],
    );
}

#[test]
fn pem_on_one_line_is_repaired() {
    reads(
        "\
-----BEGIN RSA PRIVATE KEY-----\
MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0\
l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC\
gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX\
ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD\
Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8\
q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S\
bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf\
UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O\
n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK\
Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f\
40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU\
bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE\
tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG\
BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE\
fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs\
p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD\
zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7\
DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4\
U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm\
27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN\
54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC\
Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S\
0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z\
NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE\
6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1\
-----END RSA PRIVATE KEY-----\
",
        &["line ends were missing"],
    );
}

#[test]
fn wrapped_end_line_is_repaired() {
    reads(
        "\
-----BEGIN RSA PRIVATE KEY-----
MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0
l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC
gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX
ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD
Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8
q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S
bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf
UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O
n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK
Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f
40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU
bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE
tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG
BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE
fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs
p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD
zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7
DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4
U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm
27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN
54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC
Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S
0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z
NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE
6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1
-----END RSA PRIVATE
KEY-----
",
        &["the BEGIN or END line was wrapped"],
    );
}

#[test]
fn wrapped_begin_line_is_repaired() {
    reads(
        "\
-----BEGIN
RSA PRIVATE KEY-----
MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0
l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC
gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX
ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD
Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8
q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S
bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf
UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O
n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK
Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f
40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU
bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE
tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG
BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE
fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs
p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD
zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7
DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4
U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm
27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN
54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC
Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S
0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z
NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE
6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1
-----END RSA PRIVATE KEY-----
",
        &["the BEGIN or END line was wrapped"],
    );
}

#[test]
fn base64_of_the_whole_pem_is_repaired() {
    reads(
        "\
LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpNSUlFb3dJQkFBS0NBUUVBb2ZnV0N1TGp5\
YlJsem8wdFpXSmpOaXVTZmI0cDRmQWtkL3dXSmN5UW9UYmppOWswCmw4VzI2bVBkZHhIbWZIUXAr\
VmF3KzRxUENKcmNTMm1KUE1FelAxUHQwQm00ZDRRbEwreVJUK1NGZDJsWlMrcEMKZ05Nc0QxVy9Z\
cFJQRXdPV3ZHNmIzMjY5MHIyalo0N3NvTVpvOXdHempiLzdPTWcwTE9MK2JTZjYza3BhU0hTWApu\
ZFM1ejVyZXhNZGJCWVVzTEE5ZStLWEJkUU9TK1VUbzdXVEJFTWEyUjJDYXBIZzY2NXhzbXRkVk1U\
QlFZNHVEClpseHZiM3FDbzVad0toOWtHNExUNi9JNUlobEpIN2FHaHl4WEZ2VUsrRFdObW91ZEY4\
TkFjbzkvaDlpYUdOajgKcTJldGhGa01Mczkxa3prMlBBY0RUVzlnYjU0aDRGUld5dVhwb1FJREFR\
QUJBb0lCQUJLdWNhUnB6UW9ydzM1UwpiRVVBVng4ZFlYVWRaT2xKY0h0aVdRK2RDNlY4bGp4QUhq\
L1BMeXpUdmV5STVRTy94a09iQ3lqSUwzMDNsMmNmClVoUHUyTUZhSmRqVnpxQUNYdU9yTG90L2VT\
RnZ4anZxVmlkVHRBWkV4cUZSSjlteWxVVkFvTHZob3dWV21DMU8Kbjk1ZlpDWHhUVXR4TkVHMVhj\
YzdtMHJ0ekpLczQ1SitOL1Y5RFAxZWRZSDZVU3lQU1dHcDZ3dUErS2dIUm5LSwpWZjlHUng4MEpR\
WTduVk5rTDE3ZUhvVFdFd2dhK2x3aTBGRW9XOVk3bER0V1hZbUtCV2hVRStVOFBHeGxKZjhmCjQw\
NDkzSER3MVdSUS9hU0xvUzRRVHAzcm43Z1lnZUhFdmZKZGtrZjBVTWhsa25sbzUzTTA5RUZQZGFk\
UTRUbFUKYmpxS2M1MENnWUVBNEJ6RUVPdElwbVZkVkVaTkNxUzdiYUM0Y3JkMHBxblJILzVJQjNq\
dzNiY3hHbjZRTHZuRQp0ZmRVZGlZcnFCZHNzMWw1OEJRM0tob29LZVFUYTlBQjBIdy9QeTVQSmRU\
Sk5QWThjUW43b3VaMktLRGNtblBHCkJZNXQ3eUxjMVFsUTV4SGR3VzFWaHZLbituWHFoSlRCZ0lQ\
Z3RsZEMrS0RWNXoreTJYRHdHVWNDZ1lFQXVRUEUKZmdtVnRqTDBVeXl4ODhHWkZGMWZPdW5IMys3\
Y2VwS210SDRweGh0Q29IcXBXbVQ4WUFtWnhhZXdIZ0hBakxZcwpwMVpTZTd6RllIajdDNnVsN1Rq\
ZUxRZVpEL1l3RDY2dDYyd0RtcGUvSGxCK1RuQkErbmpiZ2xmSXNSTHRYbG5ECnpRa3Y1ZFRsdFJK\
MTFCS0JCeXBlZUY2Njg5cmpjSklERXo5UldkY0NnWUFIQXA5WGNDU3JuOHdWa01Wa0tkYjcKRE9Y\
NElLanpkYWhtK2N0REFKTjRPL3k3T1c1RktlYnZVamRBSXQyR3VvVFo3MWlURys3RjBGK2xQODhq\
dGpQNApVNHFlN1ZIb2V3bDRNS09mWFpLVGUrWUNTMVhiTnZmZ3dKM0x0eWwxT0g5aFd2dTJ5emE3\
cStkNVBDc0R6cXRtCjI3a3h1dlVMVmV5YStURWRBQjFpalFLQmdRQ0gvM3I2WXJWSC91Q1dHeTZi\
elYxbkdOT2RqS2M5dG1rZk9KbU4KNTRkeGRpeGRwb3pDUTZVNE94WnJzajNGY09oSEJzcUFIdlgy\
dXVZamFncXZvM2NPajFUUnFOb2NYNDBvbWZDQwpNeDNiRDF5UFBmLzZUSTJYRUN2YS9nZ3FFWTJt\
WXptSWlBNUxWVm1jNW5yeWJyK2xzc0ZLbmVleXhOMldxOTNTCjBpSk1kUUtCZ0NHSGV3eHpvYTFy\
OFpNRDBMRVROclRvSzQyM0szNzdVQ1lxWGZnNVhNY2xicmpQYkVDM1lJMVoKTnFNdHVoZEJKcVVu\
Qmk2dGpLTUYrMzRYZjBDVU44bmN1WEdPMkNBWXZPOFBkeUNpeEhYNTJ5YmFEankxRnRDRQo2eVVY\
am9LTlhLdlVtN01XR3NBWUg2ZjRJZWdPZXRONU52bVVNRlN0Q1NraDdpeFpMa04xCi0tLS0tRU5E\
IFJTQSBQUklWQVRFIEtFWS0tLS0tCg==\
",
        &["the PEM was in base64 once more"],
    );
}

#[test]
fn base64_of_the_whole_pem_in_lines_is_repaired() {
    reads(
        "\
LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpNSUlFb3dJQkFBS0NBUUVBb2ZnV0N1TGp5
YlJsem8wdFpXSmpOaXVTZmI0cDRmQWtkL3dXSmN5UW9UYmppOWswCmw4VzI2bVBkZHhIbWZIUXAr
VmF3KzRxUENKcmNTMm1KUE1FelAxUHQwQm00ZDRRbEwreVJUK1NGZDJsWlMrcEMKZ05Nc0QxVy9Z
cFJQRXdPV3ZHNmIzMjY5MHIyalo0N3NvTVpvOXdHempiLzdPTWcwTE9MK2JTZjYza3BhU0hTWApu
ZFM1ejVyZXhNZGJCWVVzTEE5ZStLWEJkUU9TK1VUbzdXVEJFTWEyUjJDYXBIZzY2NXhzbXRkVk1U
QlFZNHVEClpseHZiM3FDbzVad0toOWtHNExUNi9JNUlobEpIN2FHaHl4WEZ2VUsrRFdObW91ZEY4
TkFjbzkvaDlpYUdOajgKcTJldGhGa01Mczkxa3prMlBBY0RUVzlnYjU0aDRGUld5dVhwb1FJREFR
QUJBb0lCQUJLdWNhUnB6UW9ydzM1UwpiRVVBVng4ZFlYVWRaT2xKY0h0aVdRK2RDNlY4bGp4QUhq
L1BMeXpUdmV5STVRTy94a09iQ3lqSUwzMDNsMmNmClVoUHUyTUZhSmRqVnpxQUNYdU9yTG90L2VT
RnZ4anZxVmlkVHRBWkV4cUZSSjlteWxVVkFvTHZob3dWV21DMU8Kbjk1ZlpDWHhUVXR4TkVHMVhj
YzdtMHJ0ekpLczQ1SitOL1Y5RFAxZWRZSDZVU3lQU1dHcDZ3dUErS2dIUm5LSwpWZjlHUng4MEpR
WTduVk5rTDE3ZUhvVFdFd2dhK2x3aTBGRW9XOVk3bER0V1hZbUtCV2hVRStVOFBHeGxKZjhmCjQw
NDkzSER3MVdSUS9hU0xvUzRRVHAzcm43Z1lnZUhFdmZKZGtrZjBVTWhsa25sbzUzTTA5RUZQZGFk
UTRUbFUKYmpxS2M1MENnWUVBNEJ6RUVPdElwbVZkVkVaTkNxUzdiYUM0Y3JkMHBxblJILzVJQjNq
dzNiY3hHbjZRTHZuRQp0ZmRVZGlZcnFCZHNzMWw1OEJRM0tob29LZVFUYTlBQjBIdy9QeTVQSmRU
Sk5QWThjUW43b3VaMktLRGNtblBHCkJZNXQ3eUxjMVFsUTV4SGR3VzFWaHZLbituWHFoSlRCZ0lQ
Z3RsZEMrS0RWNXoreTJYRHdHVWNDZ1lFQXVRUEUKZmdtVnRqTDBVeXl4ODhHWkZGMWZPdW5IMys3
Y2VwS210SDRweGh0Q29IcXBXbVQ4WUFtWnhhZXdIZ0hBakxZcwpwMVpTZTd6RllIajdDNnVsN1Rq
ZUxRZVpEL1l3RDY2dDYyd0RtcGUvSGxCK1RuQkErbmpiZ2xmSXNSTHRYbG5ECnpRa3Y1ZFRsdFJK
MTFCS0JCeXBlZUY2Njg5cmpjSklERXo5UldkY0NnWUFIQXA5WGNDU3JuOHdWa01Wa0tkYjcKRE9Y
NElLanpkYWhtK2N0REFKTjRPL3k3T1c1RktlYnZVamRBSXQyR3VvVFo3MWlURys3RjBGK2xQODhq
dGpQNApVNHFlN1ZIb2V3bDRNS09mWFpLVGUrWUNTMVhiTnZmZ3dKM0x0eWwxT0g5aFd2dTJ5emE3
cStkNVBDc0R6cXRtCjI3a3h1dlVMVmV5YStURWRBQjFpalFLQmdRQ0gvM3I2WXJWSC91Q1dHeTZi
elYxbkdOT2RqS2M5dG1rZk9KbU4KNTRkeGRpeGRwb3pDUTZVNE94WnJzajNGY09oSEJzcUFIdlgy
dXVZamFncXZvM2NPajFUUnFOb2NYNDBvbWZDQwpNeDNiRDF5UFBmLzZUSTJYRUN2YS9nZ3FFWTJt
WXptSWlBNUxWVm1jNW5yeWJyK2xzc0ZLbmVleXhOMldxOTNTCjBpSk1kUUtCZ0NHSGV3eHpvYTFy
OFpNRDBMRVROclRvSzQyM0szNzdVQ1lxWGZnNVhNY2xicmpQYkVDM1lJMVoKTnFNdHVoZEJKcVVu
Qmk2dGpLTUYrMzRYZjBDVU44bmN1WEdPMkNBWXZPOFBkeUNpeEhYNTJ5YmFEankxRnRDRQo2eVVY
am9LTlhLdlVtN01XR3NBWUg2ZjRJZWdPZXRONU52bVVNRlN0Q1NraDdpeFpMa04xCi0tLS0tRU5E
IFJTQSBQUklWQVRFIEtFWS0tLS0tCg==
",
        &["the PEM was in base64 once more"],
    );
}

#[test]
fn blank_lines_inside_are_repaired() {
    reads(
        "\
-----BEGIN RSA PRIVATE KEY-----

MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0

l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC

gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX

ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD

Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8

q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S

bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf

UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O

n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK

Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f

40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU

bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE

tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG

BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE

fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs

p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD

zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7

DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4

U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm

27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN

54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC

Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S

0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z

NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE

6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1

-----END RSA PRIVATE KEY-----
",
        &["there were blank lines inside the key"],
    );
}

#[test]
fn blank_lines_beside_the_begin_and_end_lines_are_repaired() {
    let repairs = ["there were blank lines inside the key"];
    reads(CLEAN.replace("KEY-----\nMII", "KEY-----\n\nMII"), &repairs);
    reads(CLEAN.replace("\n-----END", "\n\n-----END"), &repairs);
    reads(CLEAN.replace("\n-----END", "\r\n\r\n-----END"), &repairs);
}

#[test]
fn missing_begin_and_end_lines_are_repaired() {
    reads(
        "\
MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0
l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC
gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX
ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD
Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8
q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S
bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf
UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O
n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK
Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f
40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU
bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE
tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG
BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE
fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs
p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD
zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7
DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4
U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm
27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN
54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC
Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S
0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z
NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE
6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1
",
        &["the BEGIN and END lines were missing"],
    );
}

#[test]
fn missing_begin_and_end_lines_and_newlines_are_repaired() {
    reads(
        "\
MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0\
l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC\
gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX\
ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD\
Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8\
q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S\
bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf\
UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O\
n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK\
Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f\
40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU\
bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE\
tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG\
BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE\
fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs\
p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD\
zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7\
DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4\
U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm\
27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN\
54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC\
Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S\
0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z\
NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE\
6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1\
",
        &["the BEGIN and END lines were missing"],
    );
}

#[test]
fn double_escaped_newlines_are_repaired() {
    reads(
        "\
-----BEGIN RSA PRIVATE KEY-----\\\\n\
MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0\\\\n\
l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC\\\\n\
gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX\\\\n\
ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD\\\\n\
Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8\\\\n\
q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S\\\\n\
bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf\\\\n\
UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O\\\\n\
n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK\\\\n\
Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f\\\\n\
40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU\\\\n\
bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE\\\\n\
tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG\\\\n\
BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE\\\\n\
fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs\\\\n\
p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD\\\\n\
zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7\\\\n\
DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4\\\\n\
U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm\\\\n\
27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN\\\\n\
54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC\\\\n\
Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S\\\\n\
0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z\\\\n\
NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE\\\\n\
6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1\\\\n\
-----END RSA PRIVATE KEY-----\\\\n\
",
        &["line ends were written as \\n"],
    );
}

// Several repairs

#[test]
fn quotes_n_escapes_and_a_wrapped_end_line_are_repaired_together() {
    let text = "\
\"-----BEGIN RSA PRIVATE KEY-----\\n\
MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0\\n\
l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC\\n\
gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX\\n\
ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD\\n\
Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8\\n\
q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S\\n\
bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf\\n\
UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O\\n\
n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK\\n\
Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f\\n\
40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU\\n\
bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE\\n\
tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG\\n\
BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE\\n\
fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs\\n\
p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD\\n\
zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7\\n\
DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4\\n\
U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm\\n\
27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN\\n\
54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC\\n\
Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S\\n\
0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z\\n\
NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE\\n\
6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1\\n\
-----END RSA PRIVATE\\n\
KEY-----\\n\"";
    let repairs = [
        "the key was in quotes",
        "line ends were written as \\n",
        "the BEGIN or END line was wrapped",
    ];
    reads(text, &repairs);
}

#[test]
fn base64_of_a_pem_with_crlf_is_repaired() {
    reads(
        "\
LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQ0KTUlJRW93SUJBQUtDQVFFQW9mZ1dDdUxq\
eWJSbHpvMHRaV0pqTml1U2ZiNHA0ZkFrZC93V0pjeVFvVGJqaTlrMA0KbDhXMjZtUGRkeEhtZkhR\
cCtWYXcrNHFQQ0pyY1MybUpQTUV6UDFQdDBCbTRkNFFsTCt5UlQrU0ZkMmxaUytwQw0KZ05Nc0Qx\
Vy9ZcFJQRXdPV3ZHNmIzMjY5MHIyalo0N3NvTVpvOXdHempiLzdPTWcwTE9MK2JTZjYza3BhU0hT\
WA0KbmRTNXo1cmV4TWRiQllVc0xBOWUrS1hCZFFPUytVVG83V1RCRU1hMlIyQ2FwSGc2NjV4c210\
ZFZNVEJRWTR1RA0KWmx4dmIzcUNvNVp3S2g5a0c0TFQ2L0k1SWhsSkg3YUdoeXhYRnZVSytEV05t\
b3VkRjhOQWNvOS9oOWlhR05qOA0KcTJldGhGa01Mczkxa3prMlBBY0RUVzlnYjU0aDRGUld5dVhw\
b1FJREFRQUJBb0lCQUJLdWNhUnB6UW9ydzM1Uw0KYkVVQVZ4OGRZWFVkWk9sSmNIdGlXUStkQzZW\
OGxqeEFIai9QTHl6VHZleUk1UU8veGtPYkN5aklMMzAzbDJjZg0KVWhQdTJNRmFKZGpWenFBQ1h1\
T3JMb3QvZVNGdnhqdnFWaWRUdEFaRXhxRlJKOW15bFVWQW9Mdmhvd1ZXbUMxTw0Kbjk1ZlpDWHhU\
VXR4TkVHMVhjYzdtMHJ0ekpLczQ1SitOL1Y5RFAxZWRZSDZVU3lQU1dHcDZ3dUErS2dIUm5LSw0K\
VmY5R1J4ODBKUVk3blZOa0wxN2VIb1RXRXdnYStsd2kwRkVvVzlZN2xEdFdYWW1LQldoVUUrVThQ\
R3hsSmY4Zg0KNDA0OTNIRHcxV1JRL2FTTG9TNFFUcDNybjdnWWdlSEV2Zkpka2tmMFVNaGxrbmxv\
NTNNMDlFRlBkYWRRNFRsVQ0KYmpxS2M1MENnWUVBNEJ6RUVPdElwbVZkVkVaTkNxUzdiYUM0Y3Jk\
MHBxblJILzVJQjNqdzNiY3hHbjZRTHZuRQ0KdGZkVWRpWXJxQmRzczFsNThCUTNLaG9vS2VRVGE5\
QUIwSHcvUHk1UEpkVEpOUFk4Y1FuN291WjJLS0RjbW5QRw0KQlk1dDd5TGMxUWxRNXhIZHdXMVZo\
dktuK25YcWhKVEJnSVBndGxkQytLRFY1eit5MlhEd0dVY0NnWUVBdVFQRQ0KZmdtVnRqTDBVeXl4\
ODhHWkZGMWZPdW5IMys3Y2VwS210SDRweGh0Q29IcXBXbVQ4WUFtWnhhZXdIZ0hBakxZcw0KcDFa\
U2U3ekZZSGo3QzZ1bDdUamVMUWVaRC9Zd0Q2NnQ2MndEbXBlL0hsQitUbkJBK25qYmdsZklzUkx0\
WGxuRA0KelFrdjVkVGx0UkoxMUJLQkJ5cGVlRjY2ODlyamNKSURFejlSV2RjQ2dZQUhBcDlYY0NT\
cm44d1ZrTVZrS2RiNw0KRE9YNElLanpkYWhtK2N0REFKTjRPL3k3T1c1RktlYnZVamRBSXQyR3Vv\
VFo3MWlURys3RjBGK2xQODhqdGpQNA0KVTRxZTdWSG9ld2w0TUtPZlhaS1RlK1lDUzFYYk52Zmd3\
SjNMdHlsMU9IOWhXdnUyeXphN3ErZDVQQ3NEenF0bQ0KMjdreHV2VUxWZXlhK1RFZEFCMWlqUUtC\
Z1FDSC8zcjZZclZIL3VDV0d5NmJ6VjFuR05PZGpLYzl0bWtmT0ptTg0KNTRkeGRpeGRwb3pDUTZV\
NE94WnJzajNGY09oSEJzcUFIdlgydXVZamFncXZvM2NPajFUUnFOb2NYNDBvbWZDQw0KTXgzYkQx\
eVBQZi82VEkyWEVDdmEvZ2dxRVkybVl6bUlpQTVMVlZtYzVucnlicitsc3NGS25lZXl4TjJXcTkz\
Uw0KMGlKTWRRS0JnQ0dIZXd4em9hMXI4Wk1EMExFVE5yVG9LNDIzSzM3N1VDWXFYZmc1WE1jbGJy\
alBiRUMzWUkxWg0KTnFNdHVoZEJKcVVuQmk2dGpLTUYrMzRYZjBDVU44bmN1WEdPMkNBWXZPOFBk\
eUNpeEhYNTJ5YmFEankxRnRDRQ0KNnlVWGpvS05YS3ZVbTdNV0dzQVlINmY0SWVnT2V0TjVOdm1V\
TUZTdENTa2g3aXhaTGtOMQ0KLS0tLS1FTkQgUlNBIFBSSVZBVEUgS0VZLS0tLS0NCg==\
",
        &["the PEM was in base64 once more"],
    );
}

#[test]
fn base64_with_literal_n_escapes_is_repaired() {
    let base64 = STANDARD.encode(CLEAN);
    let (front, back) = base64.split_at(76);
    let repairs = [
        "line ends were written as \\n",
        "the PEM was in base64 once more",
    ];
    reads(format!("{front}\\n{back}\\n"), &repairs);
}

#[test]
fn base64_after_a_byte_order_mark_is_repaired() {
    let repairs = [
        "there was a byte order mark before the key",
        "the PEM was in base64 once more",
    ];
    reads(format!("\u{feff}{}\r\n", STANDARD.encode(CLEAN)), &repairs);
}

#[test]
fn base64_in_quotes_is_repaired() {
    let base64 = STANDARD.encode(CLEAN);
    let repairs = ["the key was in quotes", "the PEM was in base64 once more"];
    reads(format!("\"{base64}\"\n"), &repairs);
    reads(format!("'{base64}'"), &repairs);
}

#[test]
fn lines_quoted_one_by_one_are_repaired() {
    // as in source code
    let repairs = ["the key was in quotes", "line ends were written as \\n"];
    for quote in ['"', '\''] {
        let quoted = CLEAN
            .lines()
            .map(|line| format!("{quote}{line}\\n{quote}\n"));
        reads(quoted.collect::<String>(), &repairs);
    }
}

#[test]
fn base64_of_a_mangled_pem_lists_both_repairs() {
    let base64 = STANDARD.encode(format!("\u{feff}{CLEAN}"));
    let repairs = [
        "the PEM was in base64 once more",
        "there was a byte order mark before the key",
    ];
    reads(base64, &repairs);
}

#[test]
fn pem_inside_a_json_credential_file_needs_no_repair() {
    let text = "{
  \"serviceAccountId\": \"svc-0001\",
  \"privateKey\": \"\
-----BEGIN PRIVATE KEY-----\\n\
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh+BYK4uPJtGXO\\n\
jS1lYmM2K5J9vinh8CR3/BYlzJChNuOL2TSXxbbqY913EeZ8dCn5VrD7io8ImtxL\\n\
aYk8wTM/U+3QGbh3hCUv7JFP5IV3aVlL6kKA0ywPVb9ilE8TA5a8bpvfbr3SvaNn\\n\
juygxmj3AbONv/s4yDQs4v5tJ/reSlpIdJed1LnPmt7Ex1sFhSwsD174pcF1A5L5\\n\
ROjtZMEQxrZHYJqkeDrrnGya11UxMFBji4NmXG9veoKjlnAqH2QbgtPr8jkiGUkf\\n\
toaHLFcW9Qr4NY2ai50Xw0Byj3+H2JoY2PyrZ62EWQwuz3WTOTY8BwNNb2BvniHg\\n\
VFbK5emhAgMBAAECggEAEq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyW\\n\
PEAeP88vLNO97IjlA7/GQ5sLKMgvfTeXZx9SE+7YwVol2NXOoAJe46sui395IW/G\\n\
O+pWJ1O0BkTGoVEn2bKVRUCgu+GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzj\\n\
kn439X0M/V51gfpRLI9JYanrC4D4qAdGcopV/0ZHHzQlBjudU2QvXt4ehNYTCBr6\\n\
XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl/x/jTj3ccPDVZFD9pIuhLhBOneufuBiB\\n\
4cS98l2SR/RQyGWSeWjnczT0QU91p1DhOVRuOopznQKBgQDgHMQQ60imZV1URk0K\\n\
pLttoLhyt3SmqdEf/kgHePDdtzEafpAu+cS191R2JiuoF2yzWXnwFDcqGigp5BNr\\n\
0AHQfD8/Lk8l1Mk09jxxCfui5nYooNyac8YFjm3vItzVCVDnEd3BbVWG8qf6deqE\\n\
lMGAg+C2V0L4oNXnP7LZcPAZRwKBgQC5A8R+CZW2MvRTLLHzwZkUXV866cff7tx6\\n\
kqa0finGG0KgeqlaZPxgCZnFp7AeAcCMtiynVlJ7vMVgePsLq6XtON4tB5kP9jAP\\n\
rq3rbAOal78eUH5OcED6eNuCV8ixEu1eWcPNCS/l1OW1EnXUEoEHKl54Xrrz2uNw\\n\
kgMTP1FZ1wKBgAcCn1dwJKufzBWQxWQp1vsM5fggqPN1qGb5y0MAk3g7/Ls5bkUp\\n\
5u9SN0Ai3Ya6hNnvWJMb7sXQX6U/zyO2M/hTip7tUeh7CXgwo59dkpN75gJLVds2\\n\
9+DAncu3KXU4f2Fa+7bLNrur53k8KwPOq2bbuTG69QtV7Jr5MR0AHWKNAoGBAIf/\\n\
evpitUf+4JYbLpvNXWcY052Mpz22aR84mY3nh3F2LF2mjMJDpTg7FmuyPcVw6EcG\\n\
yoAe9fa65iNqCq+jdw6PVNGo2hxfjSiZ8IIzHdsPXI89//pMjZcQK9r+CCoRjaZj\\n\
OYiIDktVWZzmevJuv6WywUqd57LE3Zar3dLSIkx1AoGAIYd7DHOhrWvxkwPQsRM2\\n\
tOgrjbcrfvtQJipd+DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd/QJQ3\\n\
ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp/gh6A56\\n\
03k2+ZQwVK0JKSHuLFkuQ3U=\\n\
-----END PRIVATE KEY-----\\n\
\"
}
";
    serde_json::from_str::<serde_json::Value>(text).unwrap();
    reads(text, &[]);
    reads(format!("\u{feff}[{text}]\n"), &[]);
    reads(STANDARD.encode(text), &["the PEM was in base64 once more"]);
    // Damage other than the escapes that JSON requires is reported.
    reads(text.replace("\\n", ""), &["line ends were missing"]);
    // A string on its own is a key that somebody copied.
    let (_, string) = text.split_once("Key\":").unwrap();
    reads(
        string.trim_end_matches(['\n', '}']),
        &["the key was in quotes", "line ends were written as \\n"],
    );
}

#[test]
fn escaped_slashes_of_json_are_repaired() {
    // as PHP writes JSON
    let text = format!("\"{}\"", CLEAN.replace('/', "\\/").replace('\n', "\\n"));
    reads(
        text,
        &["the key was in quotes", "line ends were written as \\n"],
    );
}

#[test]
fn quotes_and_n_escapes_of_an_environment_file_are_repaired() {
    let text = format!("PRIVATE_KEY=\"{}\"\n", CLEAN.replace('\n', "\\n"));
    reads(
        text,
        &["the key was in quotes", "line ends were written as \\n"],
    );
}

#[test]
fn missing_begin_and_end_lines_and_n_escapes_are_repaired() {
    let text = "\
MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0\\n\
l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC\\n\
gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX\\n\
ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD\\n\
Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8\\n\
q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S\\n\
bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf\\n\
UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O\\n\
n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK\\n\
Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f\\n\
40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU\\n\
bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE\\n\
tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG\\n\
BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE\\n\
fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs\\n\
p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD\\n\
zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7\\n\
DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4\\n\
U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm\\n\
27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN\\n\
54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC\\n\
Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S\\n\
0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z\\n\
NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE\\n\
6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1\\n\
";
    let repairs = [
        "line ends were written as \\n",
        "the BEGIN and END lines were missing",
    ];
    reads(text, &repairs);
}

#[test]
fn byte_order_mark_with_crlf_is_repaired() {
    let text = format!("\u{feff}{}", CLEAN.replace('\n', "\r\n"));
    reads(text, &["there was a byte order mark before the key"]);
}

#[test]
fn quotes_and_spaces_for_newlines_are_repaired() {
    let text = format!("\"{}\"", CLEAN.trim_end().replace('\n', " "));
    reads(text, &["the key was in quotes", "line ends were missing"]);
}

#[test]
fn spaces_for_newlines_after_a_certificate_are_repaired() {
    let text = format!("{CERTIFICATE}{CLEAN}").replace('\n', " ");
    reads(text, &["line ends were missing"]);
}

#[test]
fn white_space_at_line_ends_needs_no_repair() {
    // RFC 7468 §3: base64text = 1*base64char *WSP eol
    reads(CLEAN.replace('\n', "  \n"), &[]);
}

#[test]
fn text_of_one_mebibyte_is_read_and_longer_is_refused() {
    let rest = 1024 * 1024 - CLEAN.len();
    reads(format!("{CLEAN}{}", "\n".repeat(rest)), &[]);
    let text = format!("{CLEAN}{}", "\n".repeat(rest + 1));
    assert_eq!(
        RsaKey::from_pem(text).unwrap_err().to_string(),
        "this is too long for a key"
    );
}

// Text that is not an RSA private key

#[test]
fn public_key_is_named() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("data/vectors.json")).unwrap();
    let public = vectors["key"]["public_pem"].as_str().unwrap();
    refuses(public, "this is a public key");
    refuses(
        include_str!("data/keys/public-pkcs1.pem"),
        "this is a public key",
    );
    let ssh = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCh+BYK4uPJtGXOjS1lYmM2K5J9vinh8CR3 ci@host\n";
    refuses(ssh, "this is a public key");
}

#[test]
fn certificate_is_named() {
    refuses(CERTIFICATE, "this is a certificate");
    refuses(
        format!("{CERTIFICATE}{CERTIFICATE}"),
        "this is a certificate",
    );
    for label in ["X509 CERTIFICATE", "TRUSTED CERTIFICATE"] {
        refuses(
            CERTIFICATE.replace("CERTIFICATE", label),
            "this is a certificate",
        );
    }
}

#[test]
fn mangled_certificate_is_named() {
    refuses(CERTIFICATE.replace('\n', "\\n"), "this is a certificate");
    refuses(CERTIFICATE.replace('\n', " "), "this is a certificate");
    let base64 = STANDARD.encode(CERTIFICATE);
    refuses(base64, "this is a certificate");
}

#[test]
fn certificate_request_is_named() {
    let request = include_str!("data/keys/request.pem");
    refuses(request, "this is a certificate request");
    let old = request.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST");
    refuses(old, "this is a certificate request");
}

#[test]
fn first_of_several_private_keys_is_read_and_the_others_are_told_of() {
    let [one, other] = [
        include_str!("data/keys/slow.pem"),
        include_str!("data/keys/ec-pkcs8.pem"),
    ];
    let key = RsaKey::from_pem(format!("{CLEAN}{CERTIFICATE}{other}{one}")).unwrap();
    assert_eq!(
        key.repairs(),
        ["there were several private keys: the first one is used"]
    );
}

#[test]
fn ec_key_is_named() {
    let with_parameters = include_str!("data/keys/ec.pem");
    let end = "-----END EC PARAMETERS-----\n";
    let (parameters, alone) = with_parameters.split_once(end).unwrap();
    let parameters = format!("{parameters}{end}");
    let pkcs8 = include_str!("data/keys/ec-pkcs8.pem");
    for key in [with_parameters, alone, pkcs8] {
        refuses(key, "this is an EC key; RS256 needs RSA");
    }
    refuses(
        &parameters,
        "these are the parameters of an EC key without the key: the block EC PRIVATE KEY is missing",
    );
}

#[test]
fn ec_key_beside_a_certificate_is_named_as_the_key() {
    let key = include_str!("data/keys/ec.pem");
    refuses(
        format!("{CERTIFICATE}{key}"),
        "this is an EC key; RS256 needs RSA",
    );
    refuses(
        format!("{key}{CERTIFICATE}"),
        "this is an EC key; RS256 needs RSA",
    );
}

#[test]
fn ed25519_key_is_named() {
    let key = include_str!("data/keys/ed25519.pem");
    refuses(key, "this is an Ed25519 key; RS256 needs RSA");
}

#[test]
fn x25519_and_dsa_keys_are_named() {
    let x25519 = include_str!("data/keys/x25519.pem");
    refuses(
        x25519,
        "this is an X25519 key, which is for key agreement: JWTs are signed with RSA, EC or Ed25519 keys",
    );
    let dsa = include_str!("data/keys/dsa.pem");
    refuses(
        dsa,
        "this is a DSA key: JWTs are signed with RSA, EC or Ed25519 keys",
    );
}

#[test]
fn pss_restricted_key_is_named() {
    let key = include_str!("data/keys/rsa-pss.pem");
    refuses(
        key,
        "this RSA key is restricted to PSS; RS256 needs PKCS#1 v1.5",
    );
}

#[test]
fn openssh_format_is_named() {
    let key = include_str!("data/keys/openssh.pem");
    let message = "this key is in OpenSSH's own format: convert a copy of the file, which is overwritten, with \
        ssh-keygen -p -m PEM -f COPY (an Ed25519 key stays as it is: make another with openssl genpkey -algorithm \
        ed25519 -out NEW)";
    refuses(key, message);
}

#[test]
fn putty_key_is_named() {
    let key = include_str!("data/keys/putty.ppk");
    let message = "this is a PuTTY key: export it with puttygen FILE -O private-openssh -o NEW, or in PuTTYgen by \
        Conversions, Export OpenSSH key";
    refuses(key, message);
}

#[test]
fn encrypted_key_asks_for_a_passphrase() {
    let keys = include_str!("data/keys/encrypted.txt");
    let (key, _rest) = keys.split_once("aes-128-cbc hmacWithSHA224").unwrap();
    refuses(key, "this key is encrypted: a passphrase is needed");
    refuses(
        key.replace('\n', " "),
        "this key is encrypted: a passphrase is needed",
    );
    let body: String = key
        .lines()
        .filter(|line| !line.contains(['-', ' ']))
        .collect();
    refuses(body, "this key is encrypted: a passphrase is needed");
}

#[test]
fn key_with_proc_type_asks_for_a_passphrase() {
    let key = include_str!("data/keys/proc-type.pem");
    let message = "this key is encrypted: a passphrase is needed";
    refuses(key, message);
    refuses(key.replace('\n', "\r\n"), message);
    refuses(key.replace('\n', "\\n"), message);
}

#[test]
fn rsa_key_of_1024_bits_is_refused_with_its_size() {
    let key = include_str!("data/keys/rsa-1024.pem");
    refuses(key, "this RSA key has 1024 bits; 2048 to 8192 are taken");
}

#[test]
fn pem_without_a_private_key_is_named() {
    let list =
        "-----BEGIN X509 CRL-----\nMIIBYDCBygIBATANBgkqhkiG9w0BAQUF\n-----END X509 CRL-----\n";
    refuses(list, "there is no private key in this PEM");
}

// Broken keys

#[test]
fn truncation_before_the_end_line_is_named() {
    let first_lines = |n| CLEAN.lines().take(n).collect::<Vec<_>>().join("\n");
    for n in [1, 2, 13, 26] {
        refuses(first_lines(n), "this key is cut off in the middle");
        refuses(
            first_lines(n).replace('\n', "\\n"),
            "this key is cut off in the middle",
        );
    }
    refuses("-----BEGIN RSA PRI", "this key is cut off in the middle");
}

#[test]
fn truncation_within_the_end_line_is_named() {
    let cut = CLEAN.strip_suffix("TE KEY-----\n").unwrap();
    refuses(cut, "this key is cut off in the middle");
}

#[test]
fn truncation_before_another_block_is_named() {
    let cut = CLEAN
        .strip_suffix("-----END RSA PRIVATE KEY-----\n")
        .unwrap();
    let text = format!("{cut}{CERTIFICATE}");
    refuses(text, "this key is cut off in the middle");
}

#[test]
fn missing_lines_of_the_body_are_named() {
    let without = |missing: std::ops::Range<usize>| {
        let kept = (CLEAN.lines().enumerate()).filter(|(n, _)| !missing.contains(n));
        kept.map(|(_, line)| line).collect::<Vec<_>>().join("\n")
    };
    refuses(without(20..26), "this key is cut off in the middle");
    refuses(without(12..14), "this key is cut off in the middle");
    refuses(without(25..26), "this key is cut off in the middle");
    refuses(without(2..26), "this key is cut off in the middle");
    refuses(without(1..26), "this key is cut off in the middle");
}

#[test]
fn truncation_of_the_base64_is_named() {
    for cut in ["ixZLkN", "ixZLk", "ixZL", "ixZ", "ix", "i"] {
        let text = clean_but("ixZLkN1\n", &format!("{cut}\n"));
        refuses(text, "this key is cut off in the middle");
    }
}

#[test]
fn truncation_without_begin_and_end_lines_is_named() {
    let body: String = CLEAN.lines().skip(1).take(12).collect();
    refuses(body, "this key is cut off in the middle");
}

#[test]
fn mismatched_begin_and_end_lines_are_named() {
    let message = "the BEGIN and END lines of this key do not belong together";
    refuses(clean_but("END RSA PRIVATE", "END PRIVATE"), message);
    refuses(clean_but("BEGIN RSA PRIVATE", "BEGIN PRIVATE"), message);
    refuses(clean_but("END RSA PRIVATE KEY", "END CERTIFICATE"), message);
}

#[test]
fn characters_outside_base64_are_named() {
    let message = "this key holds characters that are not base64";
    refuses(clean_but("bEUAVx8dYXUd", "bEUAVx8d…YXUd"), message);
    refuses(clean_but("bEUAVx8dYXUd", "bEUAVx8*YXUd"), message);
    // base64url
    refuses(CLEAN.replace('+', "-").replace('/', "_"), message);
}

#[test]
fn changed_digit_of_d_is_named() {
    let message = "the parts of this RSA key do not belong together";
    refuses(clean_but("UhPu2MFaJdjV", "UhPu2MFbJdjV"), message);
}

#[test]
fn pkcs1_and_pkcs8_under_the_label_of_the_other_are_read() {
    // The label is wrong, the bytes are right.
    reads(CLEAN_PKCS8.replace("PRIVATE KEY", "RSA PRIVATE KEY"), &[]);
    reads(CLEAN.replace("RSA PRIVATE KEY", "PRIVATE KEY"), &[]);
}

#[test]
fn pem_of_other_bytes_is_refused() {
    let message = "this is not a private key in PKCS#8, PKCS#1 or SEC 1";
    let text = "-----BEGIN PRIVATE KEY-----\nbm8ga2V5IGF0IGFsbA==\n-----END PRIVATE KEY-----\n";
    refuses(text, message);
}

// Text that is not PEM

#[test]
fn empty_text_is_named() {
    for text in [
        "",
        " ",
        "\n",
        "\r\n\r\n",
        " \t\n",
        "\u{feff}",
        "\u{feff}\r\n",
    ] {
        refuses(text, "this is empty");
    }
}

#[test]
fn utf_16_text_is_read() {
    let little = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<_>>()
    };
    let big = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect::<Vec<_>>()
    };
    let marked = format!("\u{feff}{CLEAN}");
    let repairs = ["the text was UTF-16"];
    reads(little(&marked), &repairs);
    reads(big(&marked), &repairs);
    reads(little(CLEAN), &repairs);
    reads(big(CLEAN), &repairs);
}

#[test]
fn der_instead_of_pem_is_named() {
    let key = include_bytes!("data/keys/rsa-2048.der");
    refuses(key, "this is DER, not PEM text");
}

#[test]
fn bytes_outside_utf_8_are_refused() {
    refuses(
        b"-----BEGIN RSA PRIVATE KEY-----\n\xc3\x28\n",
        "this key is cut off in the middle",
    );
    refuses(b"\xc3\x28 is no key", "this is not text");
    // a PKCS#12 file of the same key begins like this too
    refuses(b"\x30\x82\x09\xc1\x02\x01\x03", "this is DER, not PEM text");
}

#[test]
fn json_without_a_pem_is_named() {
    let message = "this is JSON without a PEM in it";
    refuses(
        r#"{"type": "service_account", "private_key_id": "45911cd010b8"}"#,
        message,
    );
    refuses(
        "\u{feff}\n{\n  \"kty\": \"RSA\",\n  \"e\": \"AQAB\"\n}\n",
        message,
    );
}

#[test]
fn file_name_instead_of_pem_is_named() {
    let message = "this is the name of a file: give what is in it";
    for name in [
        "key.pem",
        "/etc/ssl/private/salesforce.key",
        "C:\\keys\\server.pem",
        "/run/secrets/key.pem\n",
    ] {
        refuses(name, message);
    }
}

#[test]
fn text_of_another_kind_is_refused() {
    refuses(
        "to be filled in by the administrator",
        "this is not a PEM private key",
    );
    refuses("changeme", "this is not a PEM private key");
}

/// .NET writes `+` as \u002B in JSON, and Gson `=` as \u003d (RFC 8259 §7 allows both).
#[test]
fn numbered_escapes_of_json_in_a_pem_are_read() {
    let escaped = CLEAN
        .replace('+', "\\u002B")
        .replace('=', "\\u003d")
        .replace('\n', "\\u000a");
    assert!(escaped.contains("\\u002B"));
    reads(format!("{{\"private_key\":\"{escaped}\"}}"), &[]);
}
