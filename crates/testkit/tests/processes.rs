//! Processes under care: logs are captured, signals arrive, nothing is left behind.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use testkit::processes::{Sidecar, finish};

const SHELL: &str = "/bin/sh";
const LIMIT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_process_is_logged_terminated_and_killed() {
    let script = r#"trap "echo bye; exit 7" TERM; echo "started $MARK"; while :; do sleep 0.01; done"#;
    let mut process = Sidecar::run_program(Path::new(SHELL), ["-c", script], &[("MARK", "here")]).unwrap();
    process.wait_for_log("started here", LIMIT).await.unwrap();
    assert!(process.is_running());
    assert_eq!(process.terminate(LIMIT).await.unwrap().code(), Some(7));
    assert!(process.log().contains("bye"));

    let mut process = Sidecar::run_program(Path::new(SHELL), ["-c", "echo up; exec sleep 60"], &[]).unwrap();
    process.wait_for_log("up", LIMIT).await.unwrap();
    process.pause().unwrap();
    let pid = process.pid();
    process.kill9();
    assert!(!process.is_running() && !Path::new(&format!("/proc/{pid}")).exists());

    let mut process = Sidecar::run_program(Path::new(SHELL), ["-c", "echo reason >&2; exit 3"], &[]).unwrap();
    let error = process.wait_for_log("never", LIMIT).await.unwrap_err().to_string();
    assert!(error.contains("reason") && error.contains("exit status: 3"), "{error}");
}

#[tokio::test]
async fn a_finished_command_gives_its_code_and_both_streams() {
    let script = r#"echo "{\"schema\":1}"; echo progress >&2; exit 4"#;
    let finished = finish(Path::new(SHELL), ["-c", script], &[]).await.unwrap();
    assert_eq!((finished.exit_code, finished.stderr.as_str()), (4, "progress\n"));
    assert_eq!(finished.json().unwrap()["schema"], 1);
}
