//! What the Job of a restore says: how it stands, and the object that its `dr-cli restore --json` (or `drill`) printed.

use serde_json::{Map, Value};

use crate::failure::{Failure, FailureKind};

/// How a Job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Helm has not made it yet.
    Missing,
    Running {
        name: String,
    },
    Complete {
        name: String,
    },
    Failed {
        name: String,
        reason: String,
    },
}

/// Of `kubectl get jobs -o json`. Of several the newest counts: another target is another Job.
pub fn standing(jobs: &Value) -> Standing {
    let made = |job: &&Value| job["metadata"]["creationTimestamp"].as_str().unwrap_or_default().to_owned();
    let Some(job) = jobs["items"].as_array().into_iter().flatten().max_by_key(made) else { return Standing::Missing };
    let name = job["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let is_true = |condition: &&Value| condition["status"] == "True";
    for condition in job["status"]["conditions"].as_array().into_iter().flatten().filter(is_true) {
        let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
        match condition["type"].as_str() {
            Some("Complete") => return Standing::Complete { name },
            Some("Failed") => {
                return Standing::Failed { name, reason: format!("{}: {}", text("reason"), text("message")) };
            }
            _ => {}
        }
    }
    Standing::Running { name }
}

fn made(pod: &Value) -> &str {
    pod["metadata"]["creationTimestamp"].as_str().unwrap_or_default()
}

/// Names of pods, the newest last, of `kubectl get pods -o json`.
pub fn by_age(pods: &Value) -> Vec<&str> {
    let mut pods: Vec<&Value> = pods["items"].as_array().into_iter().flatten().collect();
    pods.sort_by_key(|pod| made(pod));
    pods.into_iter().filter_map(|pod| pod["metadata"]["name"].as_str()).collect()
}

/// Why the newest pod does not start, of `kubectl get pods -o json`.
pub fn obstacle(pods: &Value) -> Option<String> {
    let pod = pods["items"].as_array()?.iter().max_by_key(|pod| made(pod))?;
    // One that ran once, whatever came of it, is the Job's to judge.
    if pod["status"]["phase"] != "Pending" {
        return None;
    }
    let waiting =
        pod["status"]["containerStatuses"].as_array().into_iter().flatten().map(|one| &one["state"]["waiting"]);
    let unmet = pod["status"]["conditions"].as_array().into_iter().flatten().filter(|one| one["status"] == "False");
    let is_start = |one: &&Value| {
        matches!(
            one["reason"].as_str(),
            Some("ContainersNotReady" | "ContainersNotInitialized" | "ContainerCreating" | "PodInitializing")
        )
    };
    let found = waiting.chain(unmet).find(|one| one["reason"].is_string() && !is_start(one))?;
    let text = |field: &str| found[field].as_str().unwrap_or_default();
    Some(format!("{} {}", text("reason"), text("message")).trim().to_owned())
}

/// What the restore in the Job gave.
#[derive(Debug, Clone, PartialEq)]
pub struct JobResult {
    /// As the command prints them with `--json`, without what every command has.
    pub fields: Map<String, Value>,
    pub has_findings: bool,
    pub failure: Option<Failure>,
}

/// The object in the logs of the Job's last pod; log lines stand before it.
pub fn result(logs: &str, command: &str) -> Option<JobResult> {
    let objects = logs.lines().rev().filter(|line| line.starts_with('{'));
    let is_ours = |object: &Value| object["schema"] == 1 && object["command"] == command;
    let Value::Object(mut fields) = objects.filter_map(|line| serde_json::from_str(line).ok()).find(is_ours)? else {
        return None;
    };
    let [_, _, outcome, exit_code, error] =
        ["schema", "command", "outcome", "exit_code", "error"].map(|name| fields.remove(name).unwrap_or(Value::Null));
    let code = exit_code.as_u64().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    let failure = error.is_object().then(|| Failure {
        kind: FailureKind::from_exit_code(code),
        what: text("what"),
        location: text("where"),
        cause: text("cause"),
        next: text("next"),
    });
    Some(JobResult { fields, has_findings: outcome == "findings", failure })
}

/// The result that tells how the Job ended, of those of its pods, the newest last: the last one. A drill that was tried again
/// after it had written is refused for what it left; then the one before says why.
pub fn decisive(mut results: Vec<Option<JobResult>>) -> Option<JobResult> {
    let last = results.pop()?;
    let is_unsafe = |done: &JobResult| done.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::Unsafe);
    if last.as_ref().is_some_and(is_unsafe) {
        let had_begun = |done: &JobResult| done.fields.get("report").is_some_and(Value::is_object);
        return results.into_iter().flatten().rfind(had_begun).or(last);
    }
    last
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_runs_until_it_says_otherwise_and_the_newest_counts() {
        let job = |name: &str, at: &str, conditions: Value| json!({ "metadata": { "name": name, "creationTimestamp": at }, "status": { "conditions": conditions } });
        let of = |jobs: Vec<Value>| standing(&json!({ "items": jobs }));
        assert_eq!(of(vec![]), Standing::Missing);
        assert_eq!(of(vec![job("a", "1", Value::Null)]), Standing::Running { name: "a".to_owned() });
        let failed = json!([{ "type": "FailureTarget", "status": "True" }, { "type": "Failed", "status": "True", "reason": "PodFailurePolicy", "message": "exit 4" }]);
        let complete = json!([{ "type": "Failed", "status": "False" }, { "type": "Complete", "status": "True" }]);
        assert_eq!(
            of(vec![job("a", "1", complete.clone()), job("b", "2", failed)]),
            Standing::Failed { name: "b".to_owned(), reason: "PodFailurePolicy: exit 4".to_owned() }
        );
        assert_eq!(of(vec![job("a", "1", complete)]), Standing::Complete { name: "a".to_owned() });
    }

    #[test]
    fn the_result_is_the_last_object_and_its_failure_keeps_its_kind() {
        let logs = "{\"schema\":1,\"command\":\"other\"}\n{\"schema\":1,\"command\":\"restore\",\"outcome\":\"findings\",\"exit_code\":10,\"error\":null,\"slices\":3}\nafter\n";
        let done = result(logs, "restore").unwrap();
        assert_eq!(result(logs, "drill"), None);
        assert!(done.has_findings && done.failure.is_none());
        assert_eq!(Value::Object(done.fields), json!({ "slices": 3 }));
        let logs = json!({ "schema": 1, "command": "restore", "outcome": "refused", "exit_code": 9,
            "error": { "kind": "unsafe", "what": "not empty", "where": "h", "cause": "c", "next": "n" } });
        let failure = result(&logs.to_string(), "restore").unwrap().failure.unwrap();
        assert_eq!(
            (failure.kind, failure.what.as_str(), failure.next.as_str()),
            (FailureKind::Unsafe, "not empty", "n")
        );
        assert_eq!(result("no object\n{broken", "restore"), None);
    }

    #[test]
    fn the_last_pod_decides_unless_it_was_refused_for_what_one_before_it_left() {
        let of = |report: Value, kind: Option<FailureKind>| {
            let fields = [("report".to_owned(), report)].into_iter().collect();
            Some(JobResult { fields, has_findings: false, failure: kind.map(|kind| Failure::new(kind, "failed")) })
        };
        let away = || of(Value::Null, Some(FailureKind::Unreachable));
        let stopped = || of(json!({}), Some(FailureKind::Unreachable));
        let refused = || of(Value::Null, Some(FailureKind::Unsafe));
        let passed = || of(json!({}), None);
        assert_eq!(decisive(vec![]), None);
        assert_eq!(decisive(vec![away(), passed()]), passed());
        assert_eq!(decisive(vec![away(), stopped(), refused()]), stopped());
        assert_eq!(decisive(vec![away(), refused()]), refused(), "it found what was there before");
        assert_eq!(decisive(vec![stopped(), None]), None, "a pod that was killed has no result");
    }

    #[test]
    fn pods_are_sorted_by_age() {
        let pod = |name: &str, at: &str| json!({ "metadata": { "name": name, "creationTimestamp": at } });
        assert_eq!(by_age(&json!({ "items": [pod("b", "2"), pod("c", "3"), pod("a", "1")] })), ["a", "b", "c"]);
        assert!(by_age(&json!({})).is_empty());
    }

    #[test]
    fn a_pod_that_waits_says_for_what() {
        let unscheduled = json!({ "items": [{ "metadata": {}, "status": { "phase": "Pending", "conditions": [
            { "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes" }] } }] });
        assert_eq!(obstacle(&unscheduled).as_deref(), Some("Unschedulable 0/1 nodes"));
        let image = json!({ "items": [{ "metadata": {}, "status": { "phase": "Pending", "containerStatuses": [{ "state": { "waiting": { "reason": "ImagePullBackOff" } } }],
            "conditions": [{ "status": "False", "reason": "ContainersNotReady" }] } }] });
        assert_eq!(obstacle(&image).as_deref(), Some("ImagePullBackOff"));
        assert_eq!(obstacle(&json!({ "items": [{ "status": {} }] })), None);
        let starting = json!({ "items": [{ "status": { "phase": "Pending",
            "containerStatuses": [{ "state": { "waiting": { "reason": "ContainerCreating" } } }] } }] });
        assert_eq!(obstacle(&starting), None);
        for (phase, reason) in [("Succeeded", "PodCompleted"), ("Failed", "PodFailed"), ("Running", "Unhealthy")] {
            let ended = json!({ "items": [{ "status": { "phase": phase, "conditions": [
                { "type": "Ready", "status": "False", "reason": reason }] } }] });
            assert_eq!(obstacle(&ended), None, "{phase}");
        }
    }
}
