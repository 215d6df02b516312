use proptest::prelude::*;

use super::*;

fn lineage() -> impl Strategy<Value = LineageId> {
    "[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,30}".prop_map(|text| text.parse().unwrap())
}

fn snapshot() -> impl Strategy<Value = SnapshotId> {
    prop_oneof!["[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,30}", Just("manifest.json".to_owned())]
        .prop_map(|text| text.parse().unwrap())
}

fn time() -> impl Strategy<Value = ClusterTime> {
    any::<u64>().prop_map(ClusterTime::from_bits)
}

fn range() -> impl Strategy<Value = (ClusterTime, ClusterTime)> {
    (time(), time()).prop_filter_map("ordered", |(a, b)| (a != b).then(|| (a.min(b), a.max(b))))
}

fn slice_id() -> impl Strategy<Value = SliceId> {
    (range(), 0..i64::MAX, any::<[u8; 16]>()).prop_map(|((after, through), term, digest)| SliceId {
        after,
        through,
        term,
        digest,
    })
}

fn key() -> impl Strategy<Value = ObjectKey> {
    prop_oneof![
        Just(ObjectKey::Archive),
        lineage().prop_map(|lineage| ObjectKey::Lineage { lineage }),
        (lineage(), snapshot()).prop_map(|(lineage, snapshot)| ObjectKey::SnapshotStart { lineage, snapshot }),
        (lineage(), snapshot()).prop_map(|(lineage, snapshot)| ObjectKey::Manifest { lineage, snapshot }),
        (lineage(), snapshot(), any::<u32>(), any::<bool>()).prop_map(|(lineage, snapshot, page, encrypted)| {
            ObjectKey::Collections { lineage, snapshot, page, encrypted }
        }),
        (lineage(), snapshot(), any::<[u8; 16]>(), any::<u32>(), any::<bool>()).prop_map(
            |(lineage, snapshot, uuid, part, encrypted)| ObjectKey::Segment {
                lineage,
                snapshot,
                uuid: CollectionUuid(uuid),
                part,
                encrypted
            }
        ),
        (lineage(), slice_id(), any::<bool>()).prop_map(|(lineage, id, encrypted)| ObjectKey::Slice {
            lineage,
            id,
            encrypted
        }),
        (lineage(), range()).prop_map(|(lineage, (after, through))| ObjectKey::Gap { lineage, after, through }),
        (lineage(), time()).prop_map(|(lineage, at)| ObjectKey::Reference { lineage, at }),
        (lineage(), time(), any::<[u8; 16]>()).prop_map(|(lineage, since, digest)| ObjectKey::Recipients {
            lineage,
            since,
            digest
        }),
        (lineage(), "[a-z0-9]{1,9}(\\.json)?")
            .prop_map(|(lineage, id)| ObjectKey::Drill { lineage, id: id.parse().unwrap() }),
        (lineage(), "[a-z0-9]{1,9}(\\.json)?", any::<bool>()).prop_map(|(lineage, id, signature)| {
            let id = id.parse().unwrap();
            if signature { ObjectKey::DrillSignature { lineage, id } } else { ObjectKey::DrillText { lineage, id } }
        }),
        (lineage(), "[a-z0-9]{1,9}(/[a-z0-9]{1,9}){0,3}")
            .prop_map(|(lineage, path)| ObjectKey::Control { lineage, path: path.parse().unwrap() }),
    ]
}

proptest! {
    #[test]
    fn every_key_reads_back_as_written(key in key()) {
        prop_assert_eq!(key.to_string().parse::<ObjectKey>().unwrap(), key);
    }

    #[test]
    fn any_text_is_refused_or_is_the_key_that_would_be_written(text in "\\PC*|[a-z]+(/[a-z0-9._-]*){0,6}") {
        if let Ok(key) = text.parse::<ObjectKey>() {
            prop_assert_eq!(key.to_string(), text);
        }
    }

    #[test]
    fn a_changed_key_is_refused_or_is_another_key(key in key(), at in any::<prop::sample::Index>(), byte in 0x20u8..0x7f) {
        let mut text = key.to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        let text = String::from_utf8(text).unwrap();
        if let Ok(other) = text.parse::<ObjectKey>() {
            prop_assert_eq!(other == key, text == key.to_string());
        }
    }

    #[test]
    fn slices_list_in_the_order_of_their_start(a in slice_id(), b in slice_id()) {
        let lineage: LineageId = "rs0-1".parse().unwrap();
        let text = |id| ObjectKey::Slice { lineage: lineage.clone(), id, encrypted: false }.to_string();
        prop_assert_eq!(text(a).cmp(&text(b)), a.after.cmp(&b.after).then_with(|| text(a).cmp(&text(b))));
        prop_assert!(text(a).starts_with(&ObjectKey::slices_prefix(&lineage)));
        prop_assert!(text(a).starts_with(&ObjectKey::oplog_day_prefix(&lineage, a.after)));
        prop_assert_eq!(text(a) > ObjectKey::slices_from(&lineage, b.after), a.after >= b.after);
    }
}

#[test]
fn keys_look_as_documented() {
    let slice = "rs0-6b03/oplog/20231114/1700000000-0000000001_1700000005-0000000002_0000000007_\
                 000102030405060708090a0b0c0d0e0f.bson.zst.age";
    let Ok(ObjectKey::Slice { id, encrypted: true, .. }) = slice.parse() else { panic!("{slice}") };
    assert_eq!((id.after, id.term), (ClusterTime::new(1_700_000_000, 1), 7));
    assert!(slice.contains(&id.to_string()));
    assert_eq!(id.to_string().parse::<SliceId>().unwrap(), id);

    for key in [
        "archive.json",
        "rs0-6b03/lineage.json",
        "rs0-6b03/snapshots/20231114T221320Z-ab12/start.json",
        "rs0-6b03/snapshots/20231114T221320Z-ab12/manifest.json",
        "rs0-6b03/snapshots/20231114T221320Z-ab12/collections-00000.bson.zst",
        "rs0-6b03/snapshots/20231114T221320Z-ab12/data/000102030405060708090a0b0c0d0e0f-00003.bson.zst",
        "rs0-6b03/gaps/1700000000-0000000001_1700000005-0000000000.json",
        "rs0-6b03/references/1700000000-0000000001.json",
        "rs0-6b03/recipients/1700000000-0000000001_000102030405060708090a0b0c0d0e0f.json",
        "rs0-6b03/drills/20231114T221320Z.json",
        "rs0-6b03/drills/20231114T221320Z.md",
        "rs0-6b03/drills/20231114T221320Z.json.minisig",
        "rs0-6b03/control/leases/archiver/0000000001.json",
        "rs0-6b03/control/archived.json",
    ] {
        assert_eq!(key.parse::<ObjectKey>().unwrap().to_string(), key);
    }
}

#[test]
fn foreign_and_escaping_keys_are_refused() {
    let digest = "000102030405060708090a0b0c0d0e0f";
    for key in [
        String::new(),
        "/".into(),
        "/archive.json".into(),
        "archive.json/".into(),
        "../archive.json".into(),
        "rs0/../lineage.json".into(),
        "../lineage.json".into(),
        "rs0//lineage.json".into(),
        "rs0/control/".into(),
        "rs0/control/a/../b".into(),
        "rs0/control/a//b".into(),
        "rs0/snapshots/../../x/manifest.json".into(),
        "rs0/snapshots/s/data/x.bson.zst".into(),
        "rs0/snapshots/s/collections-1.bson.zst".into(),
        "rs0/snapshots/s/collections-00001.bson.zst.tmp".into(),
        "rs0/gaps/1700000005-0000000000_1700000000-0000000001.json".into(),
        "rs0/gaps/1700000000-0000000001_1700000000-0000000001.json".into(),
        // another day, a negative term, upper-case hex, an empty range
        format!("rs0/oplog/20231115/1700000000-0000000001_1700000005-0000000002_0000000007_{digest}.bson.zst"),
        format!("rs0/oplog/20231114/1700000000-0000000001_1700000005-0000000002_-000000007_{digest}.bson.zst"),
        format!("rs0/oplog/20231114/1700000000-0000000001_1700000005-0000000002_7_{digest}.bson.zst"),
        format!("rs0/oplog/20231114/1700000000-0000000001_1700000000-0000000001_0000000007_{digest}.bson.zst"),
        format!("rs0/oplog/20231114/1700000000-0000000001_1700000005-0000000002_0000000007_{digest}.bson"),
        format!(
            "rs0/oplog/20231114/1700000000-0000000001_1700000005-0000000002_0000000007_{}.bson.zst",
            digest.to_uppercase()
        ),
    ] {
        assert!(key.parse::<ObjectKey>().is_err(), "{key}");
    }
}

#[test]
fn days_are_utc_days_up_to_the_last_second() {
    let day = |seconds| super::day(ClusterTime::new(seconds, 0));
    assert_eq!(day(0), "19700101");
    assert_eq!(day(86_399), "19700101");
    assert_eq!(day(951_782_400), "20000229");
    assert_eq!(day(u32::MAX), "21060207");
}

#[test]
fn only_control_objects_may_be_overwritten() {
    let key: ObjectKey = "rs0/control/pins.json".parse().unwrap();
    assert!(key.is_mutable());
    assert!(!"rs0/lineage.json".parse::<ObjectKey>().unwrap().is_mutable());
}
