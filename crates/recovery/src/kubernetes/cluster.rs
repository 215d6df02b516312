//! `helm` and `kubectl`, called for one namespace of one cluster.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::job::{JobResult, Standing, by_age, decisive, obstacle, result, standing};
use super::kubeconfig::Kubeconfig;
use crate::failure::{Failure, FailureKind, Result};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::terraform::Contract;

const LOOKED_EVERY: Duration = Duration::from_secs(2);
const TOLD_EVERY: Duration = Duration::from_secs(15);
/// What a call that does not wait for anything may take.
const CALL: Duration = Duration::from_mins(2);
/// Volumes are deleted by the cloud.
const REMOVAL: Duration = Duration::from_mins(10);

#[derive(Debug, Clone)]
pub struct Tools {
    pub helm: PathBuf,
    pub kubectl: PathBuf,
}

/// What is installed, and with what.
#[derive(Debug, Clone)]
pub struct Installation {
    pub chart: PathBuf,
    /// Applied before: Secrets that the values name.
    pub manifests: Vec<PathBuf>,
    pub values: Value,
}

/// A release that a run installed: in its record, so that it is removed before the cluster is. What a cluster makes on its own behalf (volumes) would
/// outlive it otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    pub release: String,
    pub namespace: String,
    pub kubeconfig: PathBuf,
    pub context: Option<String>,
    /// Of the namespace: another one of the same name is not the run's. Written down before anything is installed.
    #[serde(default)]
    pub namespace_uid: Option<String>,
    /// Volumes that its claims had when its removal began.
    #[serde(default)]
    pub volumes: BTreeSet<String>,
}

/// What one look at a Job has shown.
enum Look {
    Ended(Box<Result<JobResult>>),
    AtWork,
    /// Not yet a failure.
    Hindered(Failure),
}

pub struct Cluster {
    tools: Tools,
    at: Installed,
    progress: Arc<dyn Progress>,
    interrupt: Interrupt,
}

impl Cluster {
    /// The cluster of a contract. `file`: where a kubeconfig may be written.
    pub fn of(
        contract: &Contract,
        tools: Tools,
        release: &str,
        file: &Path,
        progress: Arc<dyn Progress>,
        interrupt: Interrupt,
    ) -> Result<Self> {
        let (kubeconfig, context) = match Kubeconfig::of(contract)? {
            Kubeconfig::Given { path, context } => (path, context),
            Kubeconfig::ToWrite { content, context } => {
                std::fs::write(file, content.to_string()).map_err(|error| {
                    Failure::new(FailureKind::Unexpected, format!("the kubeconfig cannot be written: {error}"))
                        .at(file.display().to_string())
                })?;
                (file.to_owned(), Some(context))
            }
        };
        let namespace = contract.namespace.clone().unwrap_or_default();
        let release = release.to_owned();
        let at = Installed { release, namespace, kubeconfig, context, namespace_uid: None, volumes: BTreeSet::new() };
        Ok(Self { tools, at, progress, interrupt })
    }

    pub fn again(at: Installed, tools: Tools, progress: Arc<dyn Progress>, interrupt: Interrupt) -> Self {
        Self { tools, at, progress, interrupt }
    }

    pub fn at(&self) -> &Installed {
        &self.at
    }

    /// Returns when the API server answers.
    pub async fn wait(&self, limit: Duration) -> Result<()> {
        let started = Instant::now();
        loop {
            self.interrupt.check()?;
            match self.kubectl(["get", "--raw", "/readyz"], None).await {
                Ok(_) => return Ok(()),
                Err(failure) if failure.kind == FailureKind::Usage => return Err(failure),
                Err(failure) if started.elapsed() >= limit => {
                    let what = format!("the cluster does not answer within {} s", limit.as_secs());
                    return Err(Failure { kind: FailureKind::Unreachable, what, ..failure });
                }
                Err(_) => self.pause().await,
            }
        }
    }

    /// Refuses a namespace that has this release, or claims of volumes: they are somebody's, and the end of the run would take them along.
    pub async fn require_fresh(&self) -> Result<()> {
        if self.namespace_uid().await?.is_none() {
            return Ok(());
        }
        let refuse = |cause: String| {
            Err(Failure { kind: FailureKind::Unsafe, ..self.failure("the namespace is not fresh", cause) }.then(
                "a root that makes a namespace for each run; nothing was installed, and what is there was not touched",
            ))
        };
        match self.helm(["status", &self.at.release].map(OsString::from)).await {
            Ok(_) => return refuse(format!("release {} is there already", self.at.release)),
            Err(failure) if failure.cause.contains("not found") => {}
            Err(failure) => return Err(failure),
        }
        let claims = self.list("persistentvolumeclaims", "").await?;
        let names: Vec<&str> = items(&claims).filter_map(|claim| claim["metadata"]["name"].as_str()).collect();
        if names.is_empty() { Ok(()) } else { refuse(format!("it has claims of volumes: {}", names.join(", "))) }
    }

    /// Refuses another namespace than that of this UID: a restore that is gone on with would go onto what somebody has there.
    pub async fn require_namespace(&self, uid: &str) -> Result<()> {
        let cause = match self.namespace_uid().await? {
            Some(there) if there == uid => return Ok(()),
            Some(there) => format!("it was made by somebody else since (UID {there}, that of the run has {uid})"),
            None => "somebody deleted it, and what the restore had written with it".to_owned(),
        };
        let refused =
            Failure { kind: FailureKind::Unsafe, ..self.failure("the namespace is not that of this run", cause) };
        Err(refused.then("without --resume into a place of its own; nothing was installed"))
    }

    /// Makes the namespace when there is none, and gives its UID.
    pub async fn make_namespace(&self) -> Result<String> {
        if self.namespace_uid().await?.is_none() {
            self.kubectl(["create", "namespace", &self.at.namespace], None).await?;
        }
        let uid = self.namespace_uid().await?;
        uid.ok_or_else(|| self.failure("the namespace is gone", "somebody deletes it".to_owned()))
    }

    async fn namespace_uid(&self) -> Result<Option<String>> {
        let arguments = ["get", "namespace", &self.at.namespace, "--ignore-not-found", "--output", "json"];
        let text = self.kubectl(arguments, None).await?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        Ok(parse(&text)?["metadata"]["uid"].as_str().map(str::to_owned))
    }

    /// Installs the chart; the same again changes nothing. `of_root`: objects that the root wants applied before.
    pub async fn install(&self, installation: &Installation, of_root: &Value, values: &Path) -> Result<()> {
        if of_root.as_array().is_some_and(|objects| !objects.is_empty()) {
            let list = json!({ "apiVersion": "v1", "kind": "List", "items": of_root });
            self.kubectl(["apply", "--filename", "-"], Some(list.to_string())).await?;
        }
        for manifest in &installation.manifests {
            let file = manifest.display().to_string();
            self.kubectl(["--namespace", &self.at.namespace, "apply", "--filename", &file], None).await?;
        }
        std::fs::write(values, installation.values.to_string()).map_err(|error| {
            Failure::new(FailureKind::Unexpected, format!("the values cannot be written: {error}"))
                .at(values.display().to_string())
        })?;
        let mut arguments: Vec<OsString> = ["upgrade", "--install"].map(OsString::from).to_vec();
        arguments.push(self.at.release.clone().into());
        arguments.push(installation.chart.clone().into());
        arguments.push("--values".into());
        arguments.push(values.into());
        // Not `--wait`: the members wait for nothing, and the Job is waited for below.
        self.helm(arguments).await.map(drop)
    }

    /// Waits for the Job that runs `command` (`restore` or `drill`). `patience`: how long in a row there may be no Job, a pod that
    /// does not start, or no answer of the cluster; a Job that is at work takes what it takes.
    pub async fn done(&self, command: &str, patience: Duration) -> Result<JobResult> {
        let (mut good, mut told) = (Instant::now(), Instant::now());
        loop {
            self.interrupt.check()?;
            let hindrance = match self.look(command).await {
                Ok(Look::Ended(result)) => return *result,
                Ok(Look::AtWork) => {
                    good = Instant::now();
                    None
                }
                Ok(Look::Hindered(failure)) => Some(failure),
                Err(failure) if failure.kind == FailureKind::Unreachable => Some(failure),
                Err(failure) => return Err(failure),
            };
            if let Some(failure) = hindrance.as_ref().filter(|_| good.elapsed() >= patience) {
                return Err(failure.clone());
            }
            if told.elapsed() >= TOLD_EVERY {
                told = Instant::now();
                let state =
                    hindrance.map_or("at work".to_owned(), |failure| format!("{}: {}", failure.what, failure.cause));
                self.progress.note(&format!("{command} in namespace {}: {state}", self.at.namespace));
            }
            self.pause().await;
        }
    }

    async fn look(&self, command: &str) -> Result<Look> {
        let selector = format!("app.kubernetes.io/component=restore,app.kubernetes.io/instance={}", self.at.release);
        let (name, reason) = match standing(&self.list("jobs", &selector).await?) {
            Standing::Complete { name } => (name, None),
            Standing::Failed { name, reason } => (name, Some(reason)),
            Standing::Missing => {
                let missing = self.failure("the release has no Job that restores", String::new());
                return Ok(Look::Hindered(missing));
            }
            Standing::Running { name } => {
                let obstacle = obstacle(&self.list("pods", &format!("job-name={name}")).await?);
                let failure = |obstacle| Look::Hindered(self.failure("the pod that restores does not start", obstacle));
                return Ok(obstacle.map_or(Look::AtWork, failure));
            }
        };
        Ok(Look::Ended(Box::new(self.result_of(&name, command, reason).await?)))
    }

    /// `Err` when the logs of a Job that is complete cannot be read.
    async fn result_of(&self, job: &str, command: &str, failed: Option<String>) -> Result<Result<JobResult>> {
        let pods = self.list("pods", &format!("job-name={job}")).await?;
        let (mut results, mut last) = (Vec::new(), String::new());
        for pod in by_age(&pods) {
            let arguments = ["--namespace", &self.at.namespace, "logs", pod, "--container", "restore", "--tail", "-1"];
            let logs = self.kubectl(arguments, None).await;
            // A pod that failed may have none, because it never started or was evicted.
            last = if failed.is_some() { logs.unwrap_or_default() } else { logs? };
            results.push(result(&last, command));
        }
        Ok(match (decisive(results), failed) {
            (Some(found), _) => Ok(found),
            (None, Some(reason)) => Err(self.failure(&format!("job {job} failed: {reason}"), tail(&last))),
            (None, None) => Err(self.failure(&format!("job {job} is complete and left no result"), String::new())),
        })
    }

    /// Takes the release and these volumes out of the cluster. Volumes that a class retains are deleted, too: nobody would find them when the
    /// cluster is gone.
    pub async fn uninstall(&self, volumes: &BTreeSet<String>) -> Result<()> {
        let (namespace, release) = (self.at.namespace.as_str(), self.at.release.as_str());
        for volume in self.left_of(volumes).await? {
            let patch = r#"{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}"#;
            self.kubectl(["patch", "persistentvolume", &volume, "--patch", patch], None).await?;
        }
        let status = self.helm(["status", release].map(OsString::from)).await;
        if status.is_ok() {
            self.helm(["uninstall", release, "--wait", "--timeout", "5m"].map(OsString::from)).await?;
        }
        self.kubectl(
            [
                "--namespace",
                namespace,
                "delete",
                "persistentvolumeclaim",
                "--selector",
                &format!("app.kubernetes.io/instance={release}"),
                "--ignore-not-found",
                "--wait=false",
            ],
            None,
        )
        .await?;
        let started = Instant::now();
        loop {
            let left = self.left_of(volumes).await?;
            if left.is_empty() {
                return Ok(());
            }
            self.interrupt.check()?;
            if started.elapsed() >= REMOVAL {
                return Err(self.failure("volumes are left", left.join(", ")));
            }
            self.pause().await;
        }
    }

    /// Names of the volumes that claims of the release have. Refused when the namespace is another one than the run's.
    pub async fn volumes_of_release(&self) -> Result<Vec<String>> {
        let Some(uid) = self.namespace_uid().await? else { return Ok(Vec::new()) };
        if self.at.namespace_uid.as_ref().is_some_and(|own| *own != uid) {
            let cause = "somebody deleted it, and made another one of the same name".to_owned();
            let failure = self.failure("the namespace is not the one that this run installed in", cause);
            return Err(Failure { kind: FailureKind::Unsafe, ..failure });
        }
        let selector = format!("app.kubernetes.io/instance={}", self.at.release);
        let claims = self.list("persistentvolumeclaims", &selector).await?;
        Ok(items(&claims).filter_map(|claim| claim["spec"]["volumeName"].as_str().map(str::to_owned)).collect())
    }

    async fn left_of(&self, volumes: &BTreeSet<String>) -> Result<Vec<String>> {
        let there = parse(&self.kubectl(["get", "persistentvolumes", "--output", "json"], None).await?)?;
        let names = items(&there).filter_map(|volume| volume["metadata"]["name"].as_str());
        Ok(names.filter(|name| volumes.contains(*name)).map(str::to_owned).collect())
    }

    async fn list(&self, what: &str, selector: &str) -> Result<Value> {
        let arguments = ["--namespace", &self.at.namespace, "get", what, "--selector", selector, "--output", "json"];
        parse(&self.kubectl(arguments, None).await?)
    }

    async fn pause(&self) {
        tokio::select! {
            () = tokio::time::sleep(LOOKED_EVERY) => {}
            () = self.interrupt.asked() => {}
        }
    }

    fn failure(&self, what: &str, cause: String) -> Failure {
        Failure::new(FailureKind::Unreachable, what)
            .at(format!("namespace {} of {}", self.at.namespace, self.at.context.as_deref().unwrap_or("the cluster")))
            .because(if cause.is_empty() { "the chart did not come up".to_owned() } else { cause })
            .then(format!(
                "kubectl --kubeconfig {} --namespace {} describe pods; docs/install.md, \"When it does not come up\"",
                self.at.kubeconfig.display(),
                self.at.namespace
            ))
    }

    async fn kubectl<'a>(&self, arguments: impl IntoIterator<Item = &'a str>, input: Option<String>) -> Result<String> {
        let mut all: Vec<OsString> = vec!["--kubeconfig".into(), self.at.kubeconfig.clone().into()];
        if let Some(context) = &self.at.context {
            all.extend(["--context".into(), context.into()]);
        }
        all.extend(arguments.into_iter().map(OsString::from));
        call(&self.tools.kubectl, all, input, CALL).await
    }

    async fn helm(&self, arguments: impl IntoIterator<Item = OsString>) -> Result<String> {
        let mut all: Vec<OsString> = arguments.into_iter().collect();
        all.extend(["--kubeconfig".into(), self.at.kubeconfig.clone().into()]);
        all.extend(["--namespace".into(), self.at.namespace.clone().into()]);
        if let Some(context) = &self.at.context {
            all.extend(["--kube-context".into(), context.into()]);
        }
        call(&self.tools.helm, all, None, REMOVAL).await
    }
}

async fn call(program: &Path, arguments: Vec<OsString>, input: Option<String>, limit: Duration) -> Result<String> {
    let name = program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut command = tokio::process::Command::new(program);
    command.args(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.spawn().map_err(|error| {
        Failure::new(FailureKind::Usage, format!("cannot run {name}: {error}"))
            .at(program.display().to_string())
            .because("it is not installed here")
            .then("install helm and kubectl, or name them with --helm and --kubectl")
    })?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        // Who does not read it says why.
        stdin.write_all(input.as_bytes()).await.ok();
    }
    let verb: Vec<String> = arguments.iter().map(|one| one.to_string_lossy().into_owned()).collect();
    let failed = |cause: String| {
        Failure::new(FailureKind::Unreachable, format!("{name} failed"))
            .at(format!("{name} {}", verb.join(" ")))
            .because(cause)
            .then("look at the cluster, then the same command")
    };
    let done = tokio::time::timeout(limit, child.wait_with_output()).await;
    let done = done.map_err(|_| failed(format!("it did not end within {} s", limit.as_secs())))?;
    let done = done.map_err(|error| failed(error.to_string()))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(failed(tail(&String::from_utf8_lossy(&done.stderr))))
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list["items"].as_array().into_iter().flatten()
}

fn parse(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| {
        Failure::new(FailureKind::Unexpected, format!("what kubectl prints cannot be read: {error}"))
            .because("this kubectl writes another format")
    })
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}
