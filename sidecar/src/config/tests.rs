use std::collections::HashMap;

use super::*;

type Map = HashMap<&'static str, &'static str>;

fn load(flags: &Map, variables: &Map, file: Option<&str>) -> Result<Config, Vec<ConfigProblem>> {
    let find = |map: &Map, key: &str| map.get(key).map(|text| (*text).to_owned());
    Config::load(&|key| find(flags, key), &|name| find(variables, name), &|_path| {
        file.map(str::to_owned).ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound))
    })
}

fn needed() -> Map {
    Map::from([("uri", "mongodb://h:1/?replicaSet=r"), ("archive", "file:///a")])
}

#[test]
fn defaults_are_those_of_the_contract() {
    let config = load(&needed(), &Map::new(), None).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:9717");
    assert_eq!(config.cut.span, Duration::from_secs(5));
    assert_eq!(config.cut.bytes, 16 << 20);
    assert_eq!(config.cut.idle, Duration::from_mins(1));
    assert!(config.schedule.is_some());
    assert!(config.reference_schedule.is_none(), "nobody gets a reference unasked");
    assert_eq!(config.reference_budget.to_string(), "240s");
    assert_eq!(config.control_url(), "file:///a");
}

#[test]
fn flags_come_before_the_environment_and_the_environment_before_the_file() {
    let mut flags = needed();
    flags.insert("slice_span", "7s");
    flags.insert("config", "/etc/t.toml");
    let variables = Map::from([("TIDEMARK_SLICE_SPAN", "8s"), ("TIDEMARK_SLICE_IDLE", "40s"), ("TIDEMARK_MEMBER", "")]);
    let file =
        "slice_span = \"9s\"\nslice_idle = \"50s\"\nscan_parallelism = 3\nmember = \"h:2\"\nnew_lineage = true\n";
    let config = load(&flags, &variables, Some(file)).unwrap();
    assert_eq!(config.cut.span, Duration::from_secs(7));
    assert_eq!(config.cut.idle, Duration::from_secs(40));
    assert_eq!(config.scan_parallelism, 3);
    assert_eq!(config.member.as_deref(), Some("h:2"), "an empty variable counts as not given");
    assert!(config.new_lineage);
}

#[test]
fn every_mistake_is_reported_at_once() {
    let flags = Map::from([
        ("uri", "postgres://u:hunter2@h/"),
        ("listen", "9717"),
        ("snapshot_schedule", "0 25 * * *"),
        ("slice_span", "10ms"),
        ("slice_bytes", "1"),
        ("reference_schedule", "now"),
        ("reference_budget", "much"),
        ("config", "/etc/t.toml"),
    ]);
    let problems = load(&flags, &Map::from([("TIDEMARK_MEMBER", "h")]), Some("slice_idel = \"5s\"")).unwrap_err();
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "slice_idel",
            "uri",
            "archive",
            "member",
            "listen",
            "snapshot_schedule",
            "reference_schedule",
            "reference_budget",
            "slice_span",
            "slice_bytes"
        ]
    );
    let text = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.contains("listen = `9717` (flag)"), "{text}");
    assert!(text.contains("member = `h` (environment)"), "{text}");
}

#[test]
fn a_broken_file_is_named_without_quoting_it() {
    let flags = Map::from([("config", "/etc/t.toml")]);
    let problems = load(&flags, &Map::new(), Some("uri = \"mongodb://u:hunter2@h\"\narchive = = 1\n")).unwrap_err();
    let text = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(text.contains("line 2"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    let missing = load(&flags, &Map::new(), None).unwrap_err();
    assert!(missing[0].to_string().contains("/etc/t.toml"), "{missing:?}");
}

#[test]
fn passwords_are_shown_nowhere_and_a_password_in_a_flag_is_noticed() {
    let flags = Map::from([("uri", "mongodb://u:hunter2@h:1/"), ("archive", "azblob://a/c?sig=hunter2")]);
    let config = load(&flags, &Map::new(), None).unwrap();
    assert_eq!(config.exposed_secrets, ["uri", "archive"]);
    assert!(!format!("{:?}", config.shown()).contains("hunter2"));
    let flags = Map::from([("archive", "file:///a")]);
    let config = load(&flags, &Map::from([("TIDEMARK_URI", "mongodb://u:hunter2@h:1/")]), None).unwrap();
    assert!(config.exposed_secrets.is_empty());
}

#[test]
fn the_schedule_can_be_switched_off() {
    let mut flags = needed();
    flags.insert("snapshot_schedule", "none");
    assert!(load(&flags, &Map::new(), None).unwrap().schedule.is_none());
}
