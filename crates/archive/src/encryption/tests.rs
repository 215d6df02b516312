use proptest::prelude::*;

use super::*;
use crate::layout::ObjectKey;
use crate::{ClusterTime, LineageId};

fn pair() -> (Identities, Recipients) {
    let (identities, _) = Identities::generate();
    let recipients = Recipients::parse(&identities.public_keys()[0]).unwrap();
    (identities, recipients)
}

fn bytes(length: usize) -> Vec<u8> {
    (0..=250_u8).map(|n| n.wrapping_mul(31)).cycle().take(length).collect()
}

/// Feeds an object in pieces and says how much was handed out at most for one piece.
fn decrypt(identities: &Identities, object: &[u8], piece: usize) -> Result<(Vec<u8>, usize), DecryptionError> {
    let mut decryptor = Decryptor::new(Some(identities), &[]);
    let (mut plain, mut most) = (Vec::new(), 0);
    for piece in object.chunks(piece.max(1)) {
        let part = decryptor.push(piece)?;
        most = most.max(part.len());
        plain.extend(part);
    }
    plain.extend(decryptor.finish()?);
    Ok((plain, most))
}

/// Where the header ends and the chunks begin.
fn payload(object: &[u8]) -> usize {
    let mac = object.windows(5).position(|window| window == b"\n--- ").unwrap() + 5;
    mac + object[mac..].iter().position(|&byte| byte == b'\n').unwrap() + 1 + 16
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_was_encrypted_comes_back_whatever_the_pieces(
        length in prop_oneof![0..300_usize, 60_000..200_000_usize, Just(CHUNK_BYTES), Just(2 * CHUNK_BYTES)],
        pieces in proptest::collection::vec(1..90_000_usize, 1..5),
        read in 1..100_000_usize,
    ) {
        let (identities, recipients) = pair();
        let plain = bytes(length);
        let (mut encryptor, mut object) = Encryptor::new(&recipients).unwrap();
        let mut rest = plain.as_slice();
        for piece in pieces.iter().cycle() {
            let (now, later) = rest.split_at((*piece).min(rest.len()));
            let part = encryptor.push(now).unwrap();
            prop_assert!(part.len() <= now.len() + CHUNK_BYTES + 64, "bounded: {} for {}", part.len(), now.len());
            object.extend(part);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        object.extend(encryptor.finish().unwrap());
        let (found, most) = decrypt(&identities, &object, read).unwrap();
        prop_assert_eq!(found, plain);
        prop_assert!(most <= read + CHUNK_BYTES);
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let (identities, recipients) = pair();
        let mut object = Encryptor::whole(&recipients, &bytes(CHUNK_BYTES + 100)).unwrap();
        let at = at.index(object.len());
        object[at] ^= 1 << bit;
        prop_assert!(decrypt(&identities, &object, 10_000).is_err(), "byte {} bit {}", at, bit);
    }

    #[test]
    fn an_object_that_was_cut_off_is_never_whole(at in any::<prop::sample::Index>(), piece in 1..70_000_usize) {
        let (identities, recipients) = pair();
        let object = Encryptor::whole(&recipients, &bytes(2 * CHUNK_BYTES + 5)).unwrap();
        prop_assert!(decrypt(&identities, &object[..at.index(object.len())], piece).is_err());
    }

    #[test]
    fn any_bytes_are_refused_and_never_panic(start in 0..3_usize, bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let start = ["", "age-encryption.org/v1\n", "age-encryption.org/v1\n-> X25519 a\n"][start];
        let object = [start.as_bytes(), &bytes].concat();
        prop_assert!(Decryptor::whole(None, &[], &object).is_err());
    }

    #[test]
    fn any_text_is_a_list_of_keys_or_is_refused(text in "\\PC*|(age1|AGE-SECRET-KEY-1)[a-zA-Z0-9]{0,80}") {
        let _ = (Recipients::parse(&text).is_ok(), Identities::parse(&text).is_ok());
    }
}

#[test]
fn cut_at_every_chunk_boundary_the_rest_is_missed() {
    let (identities, recipients) = pair();
    let object = Encryptor::whole(&recipients, &bytes(3 * CHUNK_BYTES)).unwrap();
    let start = payload(&object);
    for chunks in 0..3 {
        let end = start + chunks * (CHUNK_BYTES + 16);
        let error = decrypt(&identities, &object[..end], 50_000).unwrap_err();
        assert_eq!(error, DecryptionError::Truncated { offset: end as u64 });
    }
    assert_eq!(decrypt(&identities, &object, 50_000).unwrap().0, bytes(3 * CHUNK_BYTES));
    let longer = [object.as_slice(), b"x"].concat();
    assert!(decrypt(&identities, &longer, 50_000).is_err());
}

#[test]
fn damage_is_located_and_stays_an_error() {
    let (identities, recipients) = pair();
    let mut object = Encryptor::whole(&recipients, &bytes(3 * CHUNK_BYTES)).unwrap();
    let second = payload(&object) + CHUNK_BYTES + 16;
    object[second + 7] ^= 1;
    let mut decryptor = Decryptor::new(Some(&identities), &[]);
    let error = decryptor.push(&object).unwrap_err();
    assert_eq!(error, DecryptionError::Damaged { offset: second as u64 });
    assert_eq!(decryptor.push(b"more").unwrap_err(), error);
    assert_eq!(decryptor.finish().unwrap_err(), error);
}

#[test]
fn each_of_several_recipients_can_decrypt_and_nobody_else() {
    let ((a, _), (b, _), (stranger, _)) = (pair(), pair(), pair());
    let both = Recipients::parse(&format!("{}\n{}", a.public_keys()[0], b.public_keys()[0])).unwrap();
    let object = Encryptor::whole(&both, b"ledger").unwrap();
    for one in [&a, &b] {
        assert_eq!(Decryptor::whole(Some(one), both.texts(), &object).unwrap(), b"ledger");
    }
    let error = Decryptor::whole(Some(&stranger), both.texts(), &object).unwrap_err();
    assert!(error.is_key_problem());
    let expected =
        DecryptionError::NoMatchingIdentity { needed: both.texts().to_vec(), offered: stranger.public_keys() };
    assert_eq!(error, expected);
    assert!(error.to_string().contains(&both.texts()[1]), "{error}");
    let without = Decryptor::whole(None, &[], &object).unwrap_err();
    assert!(without.is_key_problem() && without.to_string().contains("not recorded"), "{without}");
}

#[test]
fn after_a_rotation_old_objects_need_the_old_identity() {
    let ((old, to_old), (new, to_new)) = (pair(), pair());
    let before = Encryptor::whole(&to_old, b"before").unwrap();
    let after = Encryptor::whole(&to_new, b"after").unwrap();
    assert!(Decryptor::whole(Some(&new), &[], &before).is_err());
    assert!(Decryptor::whole(Some(&old), &[], &after).is_err());
    let (_, secret) = Identities::generate();
    let mut both = String::new();
    for _ in 0..2 {
        both += &format!("{secret}\n");
    }
    assert_eq!(Identities::parse(&both).unwrap().public_keys().len(), 2);

    let at = |seconds| ClusterTime::new(seconds, 1);
    let records = [RecipientsRecord::new(at(10), &to_old), RecipientsRecord::new(at(20), &to_new)];
    let in_force = |seconds| RecipientsRecord::in_force(&records, at(seconds)).unwrap().recipients.clone();
    assert_eq!(
        (in_force(5), in_force(10), in_force(19)),
        (to_old.texts().into(), to_old.texts().into(), to_old.texts().into())
    );
    assert_eq!(in_force(20), to_new.texts());
    assert_eq!(RecipientsRecord::in_force(&[], at(1)), None);
}

#[test]
fn the_record_of_recipients_names_itself_by_its_content() {
    let lineage: LineageId = "rs0-1".parse().unwrap();
    let (_, recipients) = pair();
    let record = RecipientsRecord::new(ClusterTime::new(1_700_000_000, 1), &recipients);
    assert_eq!(RecipientsRecord::from_json(&record.to_json().unwrap()).unwrap(), record);
    let key = record.key(&lineage).unwrap();
    let digest = recipients.digest().short();
    assert_eq!(key.to_string(), format!("rs0-1/recipients/1700000000-0000000001_{digest}.json"));
    assert_eq!(key.to_string().parse::<ObjectKey>().unwrap(), key);
    let mut unsorted = record.clone();
    unsorted.recipients.insert(0, recipients.texts()[0].clone());
    assert!(RecipientsRecord::from_json(&serde_json::to_vec(&unsorted).unwrap()).is_err());
    unsorted.recipients = vec!["age1x".into()];
    assert!(unsorted.to_json().is_err());
}

#[test]
fn what_is_not_age_says_what_it_is() {
    let (identities, _) = pair();
    let found = |bytes: &[u8]| Decryptor::whole(Some(&identities), &[], bytes).unwrap_err();
    assert_eq!(found(b"]*M\x18header"), DecryptionError::NotAge { found: "]*M\\x18header".into() });
    assert_eq!(found(b"age-encryption.org/v2\n"), DecryptionError::NewerAge);
    assert_eq!(found(b"age-encr"), DecryptionError::Truncated { offset: 8 });
    assert_eq!(found(b""), DecryptionError::Truncated { offset: 0 });
    let endless = [b"age-encryption.org/v1\n".as_slice(), &b"-> X25519 AAAA\n".repeat(10_000)].concat();
    assert_eq!(found(&endless), DecryptionError::DamagedHeader);
}

#[test]
fn as_many_recipients_as_are_allowed_fit_into_a_header() {
    let keys: Vec<String> = (0..=MAX_RECIPIENTS).map(|_| Identities::generate().0.public_keys().remove(0)).collect();
    assert!(Recipients::parse(&keys.join("\n")).is_err());
    let (identities, secret) = Identities::generate();
    let all = [&keys[..MAX_RECIPIENTS - 1], &identities.public_keys()].concat();
    let object = Encryptor::whole(&Recipients::parse(&all.join("\n")).unwrap(), b"x").unwrap();
    let identities = Identities::parse(&secret).unwrap();
    assert_eq!(Decryptor::whole(Some(&identities), &[], &object).unwrap(), b"x");
}
