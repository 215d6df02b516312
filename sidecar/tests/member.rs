//! `sidecar member` beside real servers with a keyfile, from nothing: the set comes up, its users and members follow what is
//! wanted, and nothing is done where something could be lost.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use anyhow::Result;
use bson::doc;
use support::tended::{LIMIT, Tended};
use support::{get, sidecar, until};
use testkit::processes::Finished;
use testkit::{ReplicaSet, Standalone};

type Test = Result<()>;

#[tokio::test(flavor = "multi_thread")]
async fn tenders_make_a_set_from_nothing_and_keep_its_users_and_members_as_wanted() -> Test {
    let mut tended = Tended::start(4, 3, "standard").await?;
    tended.want_users(&[("orders", &[("readWrite", "orders")], true), ("late", &[("read", "orders")], false)]);
    tended.set_password("orders", "first/pass");
    for index in (0..4).rev() {
        tended.tend(index);
    }
    // Killed where it has just begun something that does not come back.
    tended.until_logged("set_initiated").await?;
    tended.kill_tender(0);
    tended.tend(0);
    tended.until_let_in("orders", "first%2Fpass").await?;
    assert_eq!(tended.count("set_initiated"), 1, "{}", tended.log());
    tended.until_voting(3).await?;
    tended.until_logged("user_without_password").await?;
    let (status, _) = get(&tended.listen(0), "/livez").await?;
    assert_eq!(status, 200);

    let defaults = || tended.run("admin", doc! { "getDefaultRWConcern": 1 });
    let is_set = async || (defaults().await.ok()?.get_str("defaultWriteConcernSource").ok()? == "global").then_some(());
    until("the default write concern is set", LIMIT, is_set).await?;

    // What nobody has asked for is left alone.
    let other = doc! { "createUser": "other", "pwd": "p", "roles": [{ "role": "read", "db": "x" }] };
    tended.run("admin", other).await?;

    tended.set_password("late", "late-pass");
    tended.until_let_in("late", "late-pass").await?;
    tended.set_password("orders", "second-pass");
    tended.until_let_in("orders", "second-pass").await?;
    assert!(!tended.lets_in("orders", "first%2Fpass").await);
    tended.want_users(&[("orders", &[("read", "orders"), ("readWrite", "shop")], true)]);
    let roles = async || {
        let info = tended.run("admin", doc! { "usersInfo": { "user": "orders", "db": "admin" } }).await.ok()?;
        let roles = info.get_array("users").ok()?[0].as_document()?.get_array("roles").ok()?.len();
        (roles == 2).then_some(())
    };
    until("the roles follow", LIMIT, roles).await?;
    assert!(tended.lets_in("orders", "second-pass").await, "in place");
    assert!(tended.lets_in("late", "late-pass").await, "out of the file is not out of the set");
    assert!(tended.lets_in("other", "p").await);

    tended.want_members(4);
    tended.until_voting(4).await?;
    tended.until_logged("member_votes").await?;
    assert_eq!((tended.count("member_added"), tended.count("member_votes")), (1, 1), "{}", tended.log());
    tended.want_members(3);
    tended.until_voting(3).await?;
    tended.until_logged("member_removed").await?;
    assert_eq!(tended.count("member_removed"), 1);

    hands_over_the_primary(&tended).await?;
    waits_for_the_one_that_is_away(&mut tended).await?;

    let log = tended.log();
    for secret in ["first/pass", "second-pass", "late-pass", std::fs::read_to_string(tended.keyfile())?.trim()] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    Ok(())
}

async fn hands_over_the_primary(tended: &Tended) -> Test {
    let step_down = async |index: usize, keyfile: &str| {
        let uri = format!("mongodb://{}/", tended.host(index));
        let started = Instant::now();
        let arguments = ["member", "step-down", "--seconds", "30", "--member-uri", &uri, "--keyfile", keyfile];
        (sidecar(&arguments).await, started.elapsed())
    };
    let keyfile = tended.keyfile().display().to_string();
    let old = tended.set.primary().await?;
    let (done, _) = step_down((old + 1) % 3, &keyfile).await;
    assert_eq!((done.exit_code, done.stdout.trim()), (0, "it is not primary: nothing to hand over"), "{done:?}");
    let (refused, _) = step_down(old, "/nowhere").await;
    assert_eq!(refused.exit_code, 2, "{refused:?}");
    assert_eq!(tended.set.primary().await?, old);
    let (done, took) = step_down(old, &keyfile).await;
    assert_eq!(done.exit_code, 0, "{done:?}");
    let new = tended.set.primary().await?;
    assert!(new != old && done.stdout.contains(&tended.host(new)), "{done:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    Ok(())
}

async fn waits_for_the_one_that_is_away(tended: &mut Tended) -> Test {
    let primary = tended.set.primary().await?;
    let (stays, away) = ((primary + 1) % 3, (primary + 2) % 3);
    let (uri, keyfile) = (format!("mongodb://{}/", tended.host(stays)), tended.keyfile().display().to_string());
    let step_down = async |wait: &str| {
        let arguments = ["member", "step-down", "--wait", wait, "--member-uri", &uri, "--keyfile", &keyfile];
        sidecar(&arguments).await
    };
    tended.set.stop(away).await?;
    // Until the others have noticed.
    let told = async || step_down("1s").await.stdout.contains("did not come back within 1 s").then_some(());
    until("a member that is away is waited for", LIMIT, told).await?;
    let (done, launched) = tokio::join!(step_down("60s"), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        tended.set.launch(away).await
    });
    launched?;
    let expected = format!("s for {}; it is not primary", tended.host(away));
    assert!(done.exit_code == 0 && done.stdout.contains(&expected), "{done:?}");
    assert!(!done.stdout.contains("waited 0 s"), "{done:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_is_not_initiated_while_a_member_is_away_or_belongs_to_another_set() -> Test {
    let mut tended = Tended::start(3, 3, "standard").await?;
    // Another set's, with the same name and key: what a lost volume of ordinal 0 looks like.
    let key = replset::member::key_of(&std::fs::read_to_string(tended.keyfile())?).unwrap();
    let (host, name) = (tended.host(2), tended.set.set_name.clone());
    let login = replset::member::Login::Key(&key);
    let uri = format!("mongodb://{host}/");
    let server = replset::member::Server::open(&uri, None, login, Duration::from_secs(10)).await?;
    server.initiate(&name, std::slice::from_ref(&host)).await?;
    tended.set.stop(1).await?;
    tended.tend(0);
    tended.until_logged("set_not_initiated").await?;
    let told = async || tended.log().contains("belongs to replica set").then_some(());
    until("both obstacles are told", LIMIT, told).await?;
    assert!(tended.log().contains(&format!("{}: not known", tended.host(1))), "{}", tended.log());

    tended.set.launch(1).await?;
    tended.tend(1);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(tended.count("set_initiated"), 0, "{}", tended.log());
    assert!(tended.set.secondaries().await.is_empty());

    tended.set.stop(2).await?;
    tended.set.wipe(2)?;
    tended.set.launch(2).await?;
    tended.until_logged("set_initiated").await?;
    Ok(())
}

async fn probe(uri: &str, kind: &str, more: &[&str]) -> Finished {
    let mut arguments = vec!["member", "probe", kind, "--member-uri", uri, "--timeout", "2s"];
    arguments.extend(more);
    sidecar(&arguments).await
}

async fn codes(uri: &str) -> [i32; 4] {
    let [startup, liveness, readiness, lenient] = [
        probe(uri, "startup", &[]).await,
        probe(uri, "liveness", &[]).await,
        probe(uri, "readiness", &[]).await,
        probe(uri, "readiness", &["--uninitiated-ok"]).await,
    ];
    [startup.exit_code, liveness.exit_code, readiness.exit_code, lenient.exit_code]
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_tell_alive_from_ready() -> Test {
    let set = ReplicaSet::builder().members(2).arbiter(true).start_uninitiated().await?;
    let uri = |index: usize| format!("mongodb://nobody:wrong@{}/", set.hosts()[index]);
    assert_eq!(codes(&uri(0)).await, [0, 0, 8, 0], "uninitiated; credentials are not used");
    set.initiate().await?;
    for index in 0..3 {
        assert_eq!(codes(&uri(index)).await, [0; 4], "primary, secondary, arbiter");
    }
    let started = Instant::now();
    probe(&uri(0), "liveness", &[]).await;
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());

    let secondary = set.secondaries().await[0];
    let admin = set.member_client(secondary).await?.database("admin");
    admin.run_command(doc! { "replSetMaintenance": true }).await?;
    assert_eq!(codes(&uri(secondary)).await, [0, 0, 8, 8], "recovering");
    admin.run_command(doc! { "replSetMaintenance": false }).await?;

    set.pause(secondary)?;
    let started = Instant::now();
    let frozen = probe(&uri(secondary), "liveness", &[]).await;
    let took = started.elapsed();
    set.resume(secondary)?;
    assert_eq!(frozen.exit_code, 8, "{frozen:?}");
    assert!(!frozen.stderr.contains("wrong"), "{frozen:?}");
    assert!(took < Duration::from_secs(4), "{took:?}");

    set.stop(secondary).await?;
    assert_eq!(codes(&uri(secondary)).await, [8; 4], "not started");
    let standalone = Standalone::start().await?;
    assert_eq!(codes(&standalone.uri()).await, [0, 0, 8, 8], "not of a set");
    Ok(())
}

#[tokio::test]
async fn the_program_and_the_keyfile_are_installed_also_over_earlier_ones_and_run() -> Test {
    let folder = testkit::mongod::temp_folder("install")?;
    let (target, key) = (folder.path().join("opt"), folder.path().join("key"));
    std::fs::write(&key, "secret\n")?;
    let (dir, keyfile) = (target.display().to_string(), key.display().to_string());
    for _ in 0..2 {
        let done = sidecar(&["member", "install", &dir, "--keyfile", &keyfile]).await;
        assert_eq!(done.exit_code, 0, "{done:?}");
    }
    let mode = |name: &str| std::fs::metadata(target.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("sidecar"), mode("keyfile")), (0o755, 0o400));
    assert_eq!(std::fs::read_to_string(target.join("keyfile"))?, "secret\n");
    let copy = testkit::processes::finish(&target.join("sidecar"), ["--version"], &[]).await?;
    assert_eq!(copy.exit_code, 0, "{copy:?}");
    assert_eq!(std::fs::read_dir(&target)?.count(), 2, "nothing else stays");

    let refused = sidecar(&["member", "install", "/proc/nowhere"]).await;
    assert_eq!(refused.exit_code, 2, "{refused:?}");
    assert!(refused.stderr.contains("next:"), "{refused:?}");
    let refused = sidecar(&["member", "tend", "--members", "x", "--mode", "y"]).await;
    assert_eq!(refused.exit_code, 2);
    for key in ["set_name", "members", "host_template", "ordinal", "mode"] {
        assert!(refused.stderr.contains(key), "{key}: {refused:?}");
    }
    Ok(())
}
