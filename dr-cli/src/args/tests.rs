use archive::ClusterTime;

use super::*;

fn parsed(line: &str) -> Invocation {
    match parse(line.split(' ').map(OsString::from)) {
        Parsed::Run(invocation) => *invocation,
        Parsed::Show(text) => panic!("{text}"),
        Parsed::Refused { failure, .. } => panic!("{failure}"),
    }
}

fn refused(line: &str) -> (Sink, Failure) {
    match parse(line.split(' ').map(OsString::from)) {
        Parsed::Refused { sink, failure } => (sink, failure),
        _ => panic!("`{line}` was accepted"),
    }
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn global_options_are_taken_before_and_after_the_subcommand() {
    for line in [
        "dr-cli --archive file:///a --lineage rs0-1 --json --quiet --log-level debug status",
        "dr-cli status --archive file:///a --lineage rs0-1 --json --quiet --log-level debug",
        "dr-cli --json --archive file:///a status --lineage rs0-1 -q --log-level=debug",
    ] {
        let invocation = parsed(line);
        assert_eq!(invocation.archive.as_deref(), Some("file:///a"), "{line}");
        assert_eq!(invocation.lineage.as_deref(), Some("rs0-1"), "{line}");
        assert_eq!(invocation.sink, Sink { command: "status", json: true, quiet: true }, "{line}");
        assert_eq!(invocation.log_level, "debug", "{line}");
    }
    assert_eq!(parsed("dr-cli list").log_level, "warn");
}

#[test]
fn a_target_may_begin_with_a_hyphen() {
    let Command::Plan(args) = parsed("dr-cli plan --to -15m --json").command else { panic!() };
    assert_eq!(args.to, RestoreTarget::Ago { seconds: 900 });
    let Command::Find(args) = parsed("dr-cli find --since -2h --until 1700000000:3").command else { panic!() };
    assert_eq!(args.since, Some(TimeBound::Ago(7_200)));
    assert_eq!(args.until, Some(TimeBound::At(ClusterTime::new(1_700_000_000, 3))));
}

#[test]
fn operations_are_a_list_of_names_in_any_case() {
    let ops = |line: &str| {
        let Command::Find(args) = parsed(line).command else { panic!() };
        args.op
    };
    assert_eq!(ops("dr-cli find"), []);
    assert_eq!(
        ops("dr-cli find --op drop,DELETE --op rename,dropdatabase"),
        [OpKind::Drop, OpKind::Delete, OpKind::RenameCollection, OpKind::DropDatabase]
    );
    let (_, failure) = refused("dr-cli find --op destroy");
    assert!(failure.what.contains("`destroy` is not a kind of operation"), "{failure}");
}

#[test]
fn a_sample_is_a_percentage_or_a_part() {
    let sample = |line: &str| {
        let Command::Verify(args) = parsed(line).command else { panic!() };
        (args.level, args.sample)
    };
    assert_eq!(sample("dr-cli verify"), (VerifyLevel::Hash, None));
    assert_eq!(sample("dr-cli verify --level decode --sample 12.5"), (VerifyLevel::Decode, Some(Share::Percent(12.5))));
    assert_eq!(sample("dr-cli verify --sample 5%"), (VerifyLevel::Hash, Some(Share::Percent(5.0))));
    let (_, part) = sample("dr-cli verify --sample 3/7");
    assert_eq!(part.unwrap().to_string(), "part 3/7");
    for line in ["verify --sample 0", "verify --sample 101", "verify --sample 8/7", "verify --level all"] {
        refused(&format!("dr-cli {line}"));
    }
}

#[test]
fn a_usage_error_is_a_failure_with_all_that_it_needs() {
    let (sink, failure) = refused("dr-cli plan --to yesterday --json");
    assert_eq!((sink.command, sink.json), ("plan", true));
    assert_eq!(failure.exit_code(), 2);
    assert!(failure.what.contains("`yesterday` is not a restore target"), "{failure}");
    assert_eq!(failure.next, "dr-cli plan --help");

    for (line, command) in [
        ("dr-cli", "dr-cli"),
        ("dr-cli --frobnicate", "dr-cli"),
        ("dr-cli plan", "plan"),
        ("dr-cli restore --destination mongodb://h --yes", "restore"),
        ("dr-cli show", "show"),
        ("dr-cli statu", "dr-cli"),
        ("dr-cli find --namespace x.", "find"),
        ("dr-cli find --limit 0", "find"),
    ] {
        let (sink, failure) = refused(line);
        assert_eq!((sink.command, sink.json, failure.exit_code()), (command, false, 2), "{line}");
        assert!(!failure.what.is_empty() && !failure.what.contains("Usage:"), "{line}: {failure}");
    }
}

#[test]
fn a_password_in_a_flag_gets_a_warning_that_does_not_repeat_it() {
    let warnings = |line: &str| parsed(line).warnings;
    let restore = "dr-cli restore --to latest --yes --destination";
    assert_eq!(warnings(&format!("{restore} mongodb://h:1/?replicaSet=r")), Vec::<String>::new());
    let warned = warnings(&format!("{restore} mongodb://u:hunter2@h:1/"));
    assert_eq!(warned.len(), 1);
    assert!(warned[0].contains("TIDEMARK_DESTINATION") && !warned[0].contains("hunter2"));
    assert_eq!(warnings("dr-cli --archive s3://k:hunter2@b/p list").len(), 1);
}
