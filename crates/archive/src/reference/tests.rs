use std::collections::BTreeSet;
use std::slice::from_ref;

use proptest::prelude::*;

use super::*;

fn sum(documents: &[Vec<u8>]) -> DigestSum {
    let mut sum = DigestSum::default();
    for document in documents {
        sum.add(document);
    }
    sum
}

fn documents() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..12)
}

proptest! {
    #[test]
    fn order_and_parts_do_not_matter(documents in documents(), shuffled in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>()) {
        let whole = sum(&documents);
        let mut other = documents.clone();
        other.rotate_left(if documents.is_empty() { 0 } else { shuffled.index(documents.len()) });
        other.reverse();
        prop_assert_eq!(sum(&other), whole);
        let (a, b) = other.split_at(cut.index(other.len() + 1));
        prop_assert_eq!(sum(a).joined(&sum(b)), whole);
        prop_assert_eq!(sum(b).joined(&sum(a)), whole);
    }

    #[test]
    fn joining_is_associative(a in documents(), b in documents(), c in documents()) {
        let (a, b, c) = (sum(&a), sum(&b), sum(&c));
        prop_assert_eq!(a.joined(&b).joined(&c), a.joined(&b.joined(&c)));
    }

    #[test]
    fn a_lost_doubled_or_changed_document_changes_the_digest(
        documents in documents().prop_filter("some", |documents| !documents.is_empty()),
        at in any::<prop::sample::Index>(),
    ) {
        let whole = sum(&documents).digest();
        let at = at.index(documents.len());
        let mut lost = documents.clone();
        let document = lost.swap_remove(at);
        prop_assert_ne!(sum(&lost).digest(), whole);
        let doubled = [&documents[..], from_ref(&document)].concat();
        prop_assert_ne!(sum(&doubled).digest(), whole);
        let tripled = [&doubled[..], from_ref(&document)].concat();
        prop_assert_ne!(sum(&tripled).digest(), whole, "two more do not cancel");
        lost.push([document.as_slice(), b"x"].concat());
        prop_assert_ne!(sum(&lost).digest(), whole);
    }
}

#[test]
fn the_sum_is_that_of_the_digests_as_big_endian_numbers() {
    assert_eq!(sum(&[]).digest(), Digest([0; 32]));
    assert_eq!(sum(&[b"a".to_vec()]).digest(), Digest::of(b"a"));
    let (mut carry, mut expected) = (0, [0; 32]);
    for at in (0..32).rev() {
        let digits = u16::from(Digest::of(b"a").0[at]) + u16::from(Digest::of(b"c").0[at]) + carry;
        (expected[at], carry) = (digits.to_le_bytes()[0], digits >> 8);
    }
    assert_eq!(sum(&[b"a".to_vec(), b"c".to_vec()]).digest(), Digest(expected));
}

fn collection(name: &str, documents: &[&[u8]]) -> CollectionReference {
    let mut sum = DigestSum::default();
    for document in documents {
        sum.add(document);
    }
    CollectionReference::new(Namespace::new("shop", name), CollectionUuid([7; 16]), &sum)
}

fn reference() -> Reference {
    let mut reference = Reference::new(
        "rs0-1".parse().unwrap(),
        ClusterTime::new(1_700_000_000, 3),
        "db-1:27017",
        "2026-01-02T03:04:05Z",
    );
    reference.collections =
        vec![collection("orders.\n\"x\"", &[b"a", b"b"]), collection("lost", &[b"a"]), collection("same", &[])];
    reference.missing = vec![MissingCollection {
        namespace: Namespace::new("shop", "log"),
        reason: MissingReason::Capped,
        detail: String::new(),
    }];
    reference
}

#[test]
fn a_reference_reads_back_as_written_and_names_nothing_twice() {
    let reference = reference();
    assert_eq!(Reference::from_json(&reference.to_json().unwrap()).unwrap(), reference);
    assert_eq!(reference.key().to_string(), "rs0-1/references/1700000000-0000000003.json");
    let mut twice = reference.clone();
    twice.missing[0].namespace = Namespace::new("shop", "same");
    assert!(twice.to_json().unwrap_err().to_string().contains("shop.same"));
    let json = String::from_utf8(reference.to_json().unwrap()).unwrap();
    let later = json.replace("\"capped\"", "\"sharded\"");
    let later = Reference::from_json(later.as_bytes()).unwrap();
    assert_eq!(later.missing[0].reason, MissingReason::Other("sharded".into()));
    assert!(Reference::from_json(json.replace("\"format\": 1", "\"format\": 2").as_bytes()).is_err());
}

#[test]
fn every_way_to_differ_is_told_apart() {
    let reference = reference();
    let log = Namespace::new("shop", "log");
    let same = reference.compare(&reference.collections, &BTreeSet::from([&log]));
    assert_eq!((same.equal, same.documents, same.differences.len(), same.not_compared.len()), (3, 3, 0, 1));
    let found = [
        collection("orders.\n\"x\"", &[b"a", b"c"]),
        collection("same", &[b"more"]),
        collection("new", &[b"x"]),
        collection("log", &[b"what a capped collection holds is not judged"]),
    ];
    let comparison = reference.compare(&found, &BTreeSet::new());
    let found: Vec<_> =
        comparison.differences.iter().map(|one| (one.namespace.coll.as_str(), one.kind.clone())).collect();
    assert_eq!(
        found,
        [
            ("lost", DifferenceKind::Absent { count: 1 }),
            ("new", DifferenceKind::Unexpected { count: 1 }),
            ("orders.\n\"x\"", DifferenceKind::Content { count: 2 }),
            ("same", DifferenceKind::Count { expected: 0, found: 1 }),
        ]
    );
    assert_eq!(comparison.differences[3].to_string(), "shop.same: 1 documents, should be 0");
    let json = serde_json::to_string(&comparison).unwrap();
    assert_eq!(serde_json::from_str::<Comparison>(&json).unwrap(), comparison);
}

#[test]
fn what_was_there_without_a_digest_has_to_be_there_again() {
    let mut reference = reference();
    let reasons = [
        ("budget", MissingReason::Budget, true),
        ("capped", MissingReason::Capped, true),
        ("failed", MissingReason::Failed, true),
        ("history", MissingReason::HistoryGone, true),
        ("view", MissingReason::View, true),
        ("changed", MissingReason::Changed, false),
        ("later", MissingReason::Other("sharded".into()), false),
        ("system.views", MissingReason::System, false),
        ("system.profile", MissingReason::Capped, false),
    ];
    let names: Vec<Namespace> = reasons.iter().map(|(name, ..)| Namespace::new("shop", *name)).collect();
    reference.missing = (names.iter().zip(&reasons))
        .map(|(namespace, (_, reason, _))| MissingCollection {
            namespace: namespace.clone(),
            reason: reason.clone(),
            detail: String::new(),
        })
        .collect();
    let there = reference.compare(&reference.collections, &names.iter().collect());
    assert_eq!((there.equal, there.differences), (3, Vec::new()));
    let gone = reference.compare(&reference.collections, &BTreeSet::new());
    let named: Vec<_> = gone.differences.iter().map(|one| (one.namespace.coll.as_str(), one.kind.clone())).collect();
    let lost = reasons.iter().filter(|(.., is_lost)| *is_lost);
    assert_eq!(named, lost.map(|(name, ..)| (*name, DifferenceKind::AbsentUnread)).collect::<Vec<_>>());
    assert!(gone.differences[0].to_string().contains("shop.budget: not there"));
}

fn listed(name: &str, uuid: u8) -> ListedName {
    ListedName {
        namespace: Namespace::new("shop", name),
        uuid: (uuid > 0).then_some(CollectionUuid([uuid; 16])),
        is_capped: name == "log",
    }
}

fn names(choice: &ReferenceChoice) -> Vec<&str> {
    choice.to_read.iter().map(|(namespace, _)| namespace.coll.as_str()).collect()
}

#[test]
fn only_what_stood_before_and_after_the_moment_is_read() {
    let before = ["same", "dropped", "again", "old name", "log", "view", "system.views", "system.buckets.t"];
    let mut before: Vec<_> = (1..).zip(before).map(|(uuid, name)| listed(name, uuid)).collect();
    before[5].uuid = None;
    let mut after = before.clone();
    after.retain(|one| one.namespace.coll != "dropped");
    after[1].uuid = Some(CollectionUuid([77; 16]));
    after[2].namespace.coll = "new name".into();
    after.push(listed("created", 78));
    let choice = choose(&before, &after, None);
    assert_eq!(names(&choice), ["same", "system.buckets.t"]);
    let missing: Vec<_> = choice.missing.iter().map(|one| (one.namespace.coll.as_str(), one.reason.clone())).collect();
    let changed = |name| (name, MissingReason::Changed);
    assert_eq!(
        missing,
        [
            changed("again"),
            changed("created"),
            changed("dropped"),
            changed("new name"),
            changed("old name"),
            ("log", MissingReason::Capped),
            ("system.views", MissingReason::System),
            ("view", MissingReason::View),
        ]
    );
}

#[test]
fn what_the_last_reference_left_out_comes_first_and_what_is_too_large_last() {
    let mut newest = reference();
    newest.collections = vec![collection("a", &[b"x"]), collection("c", &[b"x"])];
    newest.missing = vec![
        MissingCollection {
            namespace: Namespace::new("shop", "b"),
            reason: MissingReason::HistoryGone,
            detail: String::new(),
        },
        MissingCollection {
            namespace: Namespace::new("shop", "e"),
            reason: MissingReason::Budget,
            detail: String::new(),
        },
    ];
    let all: Vec<_> = (1..).zip(["a", "b", "c", "d", "e"]).map(|(uuid, name)| listed(name, uuid)).collect();
    assert_eq!(names(&choose(&all, &all, None)), ["a", "b", "c", "d", "e"]);
    assert_eq!(names(&choose(&all, &all, Some(&newest))), ["d", "e", "a", "c", "b"]);
}
