use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> RestoreTarget {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn problem(text: &str) -> TargetProblem {
    match text.parse::<RestoreTarget>() {
        Ok(target) => panic!("`{text}` was taken as {target:?}"),
        Err(error) => error.problem,
    }
}

fn wall(seconds: u32, millis: impl Into<Option<u16>>) -> RestoreTarget {
    RestoreTarget::Time(WallTarget { seconds, millis: millis.into() })
}

#[test]
fn every_form_of_the_grammar_is_understood() {
    assert_eq!(parsed("latest"), RestoreTarget::Latest);
    assert_eq!(parsed("1714566600:3"), RestoreTarget::At(ClusterTime::new(1_714_566_600, 3)));
    assert_eq!(parsed("before:1714566600:3"), RestoreTarget::Before(ClusterTime::new(1_714_566_600, 3)));
    assert_eq!(
        parsed("snapshot:20240501T123000Z-ab12"),
        RestoreTarget::Snapshot("20240501T123000Z-ab12".parse().unwrap())
    );
    assert_eq!(parsed("2024-05-01T12:30:00Z"), wall(1_714_566_600, None));
    assert_eq!(parsed("-15m"), RestoreTarget::Ago { seconds: 900 });
    assert_eq!(parsed("-1h30m"), RestoreTarget::Ago { seconds: 5_400 });
    assert_eq!(parsed("-2d"), RestoreTarget::Ago { seconds: 172_800 });
    assert_eq!(parsed("-90s"), RestoreTarget::Ago { seconds: 90 });
}

#[test]
fn the_grammar_shown_in_errors_is_the_grammar_that_parses() {
    for line in TARGET_GRAMMAR.lines() {
        parsed(line.split_whitespace().next().unwrap());
    }
}

#[test]
fn an_offset_and_a_space_or_small_letters_mean_the_same_moment() {
    for text in [
        "2024-05-01T14:30:00+02:00",
        "2024-05-01T07:00:00-05:30",
        "2024-05-01 12:30:00Z",
        "2024-05-01t12:30:00z",
        "2024-05-01T12:30:00+00:00",
    ] {
        assert_eq!(parsed(text), wall(1_714_566_600, None), "{text}");
    }
}

#[test]
fn a_fraction_is_kept_to_the_millisecond_and_zero_is_not_the_same_as_none() {
    assert_eq!(parsed("2024-05-01T12:30:00.5Z"), wall(1_714_566_600, 500));
    assert_eq!(parsed("2024-05-01T12:30:00.0Z"), wall(1_714_566_600, 0));
    assert_eq!(parsed("2024-05-01T12:30:00.250999999+00:00"), wall(1_714_566_600, 250));
    let RestoreTarget::Time(time) = parsed("2024-05-01T12:30:00.250Z") else { panic!() };
    assert_eq!(time.limit_ms(), Some(1_714_566_600_250));
    assert_eq!(time.to_string(), "2024-05-01T12:30:00.250Z");
    assert_eq!(wall(1_714_566_600, None).to_string(), "2024-05-01T12:30:00Z");
}

#[test]
fn a_time_without_a_zone_is_refused_and_says_so() {
    assert_eq!(problem("2024-05-01T12:30:00"), TargetProblem::NoZone);
    assert_eq!(problem("2024-05-01T12:30:00.123"), TargetProblem::NoZone);
    let message = "2024-05-01T12:30:00".parse::<RestoreTarget>().unwrap_err().to_string();
    assert!(message.contains("+02:00") && message.contains("before:1714566600:3"), "{message}");
}

#[test]
fn zone_names_are_refused_because_they_are_ambiguous_when_clocks_change() {
    for text in [
        "2024-05-01T12:30:00[Europe/Berlin]",
        "2024-05-01T12:30:00+02:00[Europe/Berlin]",
        "2024-05-01T12:30:00 CEST",
        "2024-05-01T12:30:00+2",
        "2024-05-01T12:30:00+0200",
    ] {
        assert_eq!(problem(text), TargetProblem::UnknownZone, "{text}");
    }
}

#[test]
fn things_that_only_look_like_times_are_refused() {
    for text in [
        "2024-05-01",
        "2024-05-01T12:30Z",
        "2024-02-30T12:30:00Z",
        "2024-05-01T25:30:00Z",
        "2024-05-01T12:30:00.Z",
        "2024-05-01T12:30:00.1234567890Z",
        "2024-05-01X12:30:00Z",
        "2024-05-01T12:30:00+99:00",
    ] {
        assert!(matches!(problem(text), TargetProblem::NotATime(_)), "{text}: {:?}", problem(text));
    }
    assert_eq!(problem("1969-12-31T23:59:59Z"), TargetProblem::OutOfRange);
    assert_eq!(problem("2106-02-07T06:28:16Z"), TargetProblem::OutOfRange);
    assert_eq!(parsed("2106-02-07T06:28:15Z"), wall(u32::MAX, None));
}

#[test]
fn malformed_targets_name_the_form_they_resemble() {
    assert_eq!(problem("1714566600:4294967296"), TargetProblem::NotAClusterTime);
    assert_eq!(problem("1714566600"), TargetProblem::NotAClusterTime);
    assert_eq!(problem("1:2:3"), TargetProblem::NotAClusterTime);
    assert_eq!(problem("before:latest"), TargetProblem::NotAnEntry);
    assert_eq!(problem("before:"), TargetProblem::NotAnEntry);
    assert_eq!(problem("snapshot:../x"), TargetProblem::NotASnapshotId);
    assert_eq!(problem("snapshot:"), TargetProblem::NotASnapshotId);
    for text in ["-", "-15", "-m", "-0s", "-5m1h", "-1m1m", "-1.5h", "-1 h", "--5m", "-99999999d", "-4294967296s"] {
        assert_eq!(problem(text), TargetProblem::NotADuration, "{text}");
    }
    for text in ["", "Latest", "now", "yesterday", "15m", " latest", "T:I"] {
        assert_eq!(problem(text), TargetProblem::Unknown, "{text}");
    }
}

#[test]
fn a_long_text_is_shortened_in_the_error() {
    let error = "x".repeat(100_000).parse::<RestoreTarget>().unwrap_err();
    assert!(error.to_string().len() < 1_000);
}

fn any_target() -> impl Strategy<Value = RestoreTarget> {
    prop_oneof![
        Just(RestoreTarget::Latest),
        (any::<u32>(), proptest::option::of(0..1000_u16))
            .prop_map(|(seconds, millis)| RestoreTarget::Time(WallTarget { seconds, millis })),
        any::<u64>().prop_map(|bits| RestoreTarget::At(ClusterTime::from_bits(bits))),
        any::<u64>().prop_map(|bits| RestoreTarget::Before(ClusterTime::from_bits(bits))),
        "[0-9TZ]{1,20}-[a-f0-9]{4}".prop_map(|id| RestoreTarget::Snapshot(id.parse().unwrap())),
        (1..=u32::MAX).prop_map(|seconds| RestoreTarget::Ago { seconds }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(target in any_target()) {
        prop_assert_eq!(target.to_string().parse::<RestoreTarget>().unwrap(), target.clone());
        let json = serde_json::to_string(&target).unwrap();
        prop_assert_eq!(serde_json::from_str::<RestoreTarget>(&json).unwrap(), target);
    }

    #[test]
    fn any_text_is_parsed_or_refused_and_never_panics(text in "\\PC*") {
        if let Ok(target) = text.parse::<RestoreTarget>() {
            prop_assert_eq!(target.to_string().parse::<RestoreTarget>().unwrap(), target);
        }
    }

    #[test]
    fn text_close_to_the_grammar_never_panics(text in "(before:|snapshot:|-)?[0-9:TZtz+.dhms \u{e4}-]{0,32}") {
        if let Ok(target) = text.parse::<RestoreTarget>() {
            prop_assert_eq!(target.to_string().parse::<RestoreTarget>().unwrap(), target);
        }
    }

    #[test]
    fn a_damaged_time_never_panics(at in 0..25_usize, byte in "\\PC", cut in 0..26_usize) {
        let mut text: Vec<char> = "2024-05-01T12:30:00.250Z".chars().collect();
        text.splice(at.min(text.len())..(at + 1).min(text.len()), byte.chars());
        let text: String = text.into_iter().take(cut).collect();
        if let Ok(target) = text.parse::<RestoreTarget>() {
            prop_assert_eq!(target.to_string().parse::<RestoreTarget>().unwrap(), target);
        }
    }
}
