use proptest::prelude::*;

use super::*;

// Made by Debian's minisign 0.11 for this test and used nowhere else.
const PUBLIC: &str = "untrusted comment: minisign public key 493D54D54C28ADE2
RWTirShM1VQ9SVX8+vZlOUTJ/2shHCs2MdfUuoioOivO+btC0dLO2O0e
";
const SECRET: &str = "untrusted comment: minisign encrypted secret key
RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA4q0oTNVUPUmv1qsueaNtZhxssam90SYw36+YxVd7VYo4MYQg/ZOyvVX8+vZlOUTJ/2shHCs2MdfUuoioOivO+btC0dLO2O0eAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
";
const REPORT: &[u8] = b"drill report\n";
const SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RUTirShM1VQ9Sa2tjSR3gtg2BBMP3qUJlo/arcFoc7slrDGdkJ+W+fRi3Z6PQouztJrclNWiJ6lsffGcuxV3XNoBZ3w6Hp/gSgU=
trusted comment: tidemark drill d1
lS6t/3CTfZnTBpZ4ehTFmOGGnuichpzRY5irSaMo+HeDcpvU2ttW2xPLzLZKx+Gv1m+IECt4sb92Ue2y25h8AA==
";

fn keys() -> (SigningKey, VerifyingKey) {
    (SigningKey::parse(SECRET, None).unwrap(), VerifyingKey::parse(PUBLIC).unwrap())
}

fn stranger() -> VerifyingKey {
    VerifyingKey(minisign::KeyPair::generate_unencrypted_keypair().unwrap().pk)
}

#[test]
fn what_minisign_signed_is_verified() {
    let (_, key) = keys();
    assert_eq!(key.verify(REPORT, SIGNATURE).unwrap(), "tidemark drill d1");
    assert_eq!(VerifyingKey::parse(&key.text()).unwrap(), key);
    assert_eq!(key.key_id(), "493D54D54C28ADE2");
}

#[test]
fn what_is_signed_here_verifies_and_nothing_else_does() {
    let (signing, key) = keys();
    let signature = signing.sign(REPORT, "drill d2").unwrap();
    assert_eq!(key.verify(REPORT, &signature).unwrap(), "drill d2");
    assert_eq!(key.verify(b"drill report", &signature), Err(SignatureError::Forged));
    assert_eq!(key.verify(REPORT, &signature.replace("drill d2", "drill d3")), Err(SignatureError::Forged));
    assert!(matches!(stranger().verify(REPORT, &signature), Err(SignatureError::OtherKey { .. })));
    assert_eq!(signing.sign(REPORT, "two\nlines"), Err(SignatureError::Comment));
    assert!(!format!("{signing:?}").contains("RWQ"));
}

#[test]
fn a_key_with_a_password_needs_it_and_never_asks() {
    let pair = minisign::KeyPair::generate_encrypted_keypair(Some("correct".into())).unwrap();
    let file = pair.sk.to_box(None).unwrap().into_string();
    assert_eq!(SigningKey::parse(&file, None).unwrap_err(), SignatureError::PasswordNeeded);
    assert_eq!(SigningKey::parse(&file, Some("wrong")).unwrap_err(), SignatureError::WrongPassword);
    let signature = SigningKey::parse(&file, Some("correct")).unwrap().sign(REPORT, "x").unwrap();
    assert_eq!(VerifyingKey(pair.pk).verify(REPORT, &signature).unwrap(), "x");
}

/// A file of which some bytes were replaced, or the end is missing.
fn damaged(text: &'static str) -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), "[ -~\n\u{e4}]{0,3}");
    (proptest::collection::vec(change, 0..4), any::<prop::sample::Index>(), any::<bool>()).prop_map(
        move |(changes, cut, is_cut)| {
            let mut text: Vec<char> = text.chars().collect();
            for (at, new) in changes {
                let at = at.index(text.len());
                text.splice(at..=at, new.chars());
                if text.is_empty() {
                    break;
                }
            }
            if is_cut && !text.is_empty() {
                text.truncate(cut.index(text.len()));
            }
            text.into_iter().collect()
        },
    )
}

proptest! {
    #[test]
    fn damaged_signatures_are_refused(text in damaged(SIGNATURE)) {
        let (_, key) = keys();
        if let Ok(comment) = key.verify(REPORT, &text) {
            // The first line is not signed, nor are spaces around the others.
            let rest = |text: &str| text.lines().skip(1).map(|line| line.trim().to_owned()).collect::<Vec<_>>();
            prop_assert_eq!((rest(&text), comment.as_str()), (rest(SIGNATURE), "tidemark drill d1"));
        }
    }

    #[test]
    fn damaged_keys_never_panic(public in damaged(PUBLIC), secret in damaged(SECRET)) {
        let _ = (VerifyingKey::parse(&public).is_ok(), SigningKey::parse(&secret, None).is_ok());
    }
}
