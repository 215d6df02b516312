//! The fast loop: one look at the server every few seconds, over one pooled connection.
//!
//! What is asked follows from what the server is. A refused password or a missing role is said once, and tried again
//! only now and then: the server logs each attempt. Beside an arbiter, which has no users, `hello` without credentials is enough.

use std::sync::Arc;
use std::time::Duration;

use bson::oid::ObjectId;
use bson::{Document, rawdoc};
use metrics::catalogue::{MONGO_POOL_CONNECTIONS, MONGOD_AUTHORIZED, MONGOD_INFO, MONGOD_UP};
use metrics::continuity::Continuity;
use metrics::hello::{ServerRole, arbiter_samples, process, role};
use metrics::{Samples, current_op, replication, server_status};
use replset::{ErrorKind, Probe, ReplsetError};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::collectors::Collectors;
use super::{Collected, Reachable};
use crate::error::Result;

/// How long refused credentials are not tried again.
const AFTER_REFUSAL: Duration = Duration::from_mins(1);
/// What a running process cannot change without it being seen is read again after so long.
const IDENTITY_AGE: Duration = Duration::from_mins(5);

#[derive(Debug)]
pub struct ServerWatch {
    probe: Probe,
    /// Without credentials.
    bare: Probe,
    collected: Collected,
    interval: Duration,
    found: watch::Sender<Option<Reachable>>,
    collectors: Collectors,
    continuity: Continuity,
    memory: replication::Memory,
    identity: Option<Identity>,
    config: Option<KnownConfig>,
    /// Of index builds.
    builds: Samples,
    /// At operations under way.
    looks: u32,
    refused_at: Option<Instant>,
    told: Option<String>,
}

#[derive(Debug, Clone)]
struct Identity {
    process: Option<ObjectId>,
    read_at: Instant,
    version: String,
    edition: &'static str,
    fcv: String,
}

/// The reply to `replSetGetConfig`, which need not be asked for while nothing changes in it.
#[derive(Debug)]
struct KnownConfig {
    process: Option<ObjectId>,
    reply: Document,
}

/// Index builds take long, and to look at them costs more.
const BUILDS_EVERY: u32 = 6;

/// What is known of a server that does not answer.
pub fn down() -> Samples {
    let mut samples = Samples::default();
    samples.set(&MONGOD_UP, &[], 0.0);
    samples
}

impl ServerWatch {
    pub fn new(
        probe: Probe,
        bare: Probe,
        collected: Collected,
        interval: Duration,
        found: watch::Sender<Option<Reachable>>,
    ) -> Self {
        collected.put("server", down());
        Self {
            probe,
            bare,
            collected,
            interval,
            found,
            collectors: Collectors::default(),
            continuity: Continuity::default(),
            memory: replication::Memory::default(),
            identity: None,
            config: None,
            builds: Samples::default(),
            looks: 0,
            refused_at: None,
            told: None,
        }
    }

    pub async fn run(mut self, stop: CancellationToken) -> Result<()> {
        let mut ticks = interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return Ok(()),
            }
            let samples = tokio::select! {
                samples = self.look() => samples,
                () = stop.cancelled() => return Ok(()),
            };
            self.collected.put("server", samples);
        }
    }

    /// Everything about the server, complete or absent.
    async fn look(&mut self) -> Samples {
        let (asked, (hello, is_signed_in)) = (now_millis(), self.hello().await);
        let answered = now_millis();
        let mut samples = match hello {
            Ok(hello) => {
                let mut samples = self.details(&hello, is_signed_in).await;
                samples.set(&MONGOD_UP, &[], 1.0);
                if let Ok(local) = hello.get_datetime("localTime") {
                    samples.extend(server_status::clock_skew(*local, asked, answered));
                }
                samples
            }
            Err(error) => {
                self.tell("the server cannot be watched", &error);
                self.looks = 0;
                self.found.send_replace(None);
                for collector in ["replication", "server_status", "current_op"] {
                    self.collectors.leave_out(collector);
                }
                down()
            }
        };
        samples.extend(self.collectors.samples());
        let connections = self.probe.connections() + self.bare.connections();
        samples.set(&MONGO_POOL_CONNECTIONS, &[], metrics::sample::float(u64::try_from(connections).unwrap_or(0)));
        samples
    }

    /// The reply, and whether it came over a connection that was signed in (or needed no password).
    async fn hello(&mut self) -> (Result<Document, ReplsetError>, bool) {
        let is_resting = self.refused_at.is_some_and(|at| at.elapsed() < AFTER_REFUSAL);
        if !is_resting {
            let reply = self.collectors.run("hello", self.interval, self.probe.hello()).await;
            self.collectors.sent("hello", reply.is_ok());
            match reply {
                Err(error) if *error.kind() == ErrorKind::AuthFailed => {
                    self.refused_at = Some(Instant::now());
                    let hello = self.bare.hello().await;
                    // An arbiter has no users: there is nothing to tell.
                    if !hello.as_ref().is_ok_and(|hello| role(hello) == ServerRole::Arbiter) {
                        self.tell("the server refuses the credentials of the sidecar", &error);
                    }
                }
                reply => {
                    self.refused_at = None;
                    return (reply, true);
                }
            }
        }
        let reply = self.collectors.run("hello", self.interval, self.bare.hello()).await;
        self.collectors.sent("hello", reply.is_ok());
        (reply, false)
    }

    async fn details(&mut self, hello: &Document, is_signed_in: bool) -> Samples {
        let role = role(hello);
        let mut samples = Samples::default();
        if !is_signed_in {
            self.found.send_replace(None);
            for collector in ["replication", "server_status", "current_op"] {
                self.collectors.leave_out(collector);
            }
            if role == ServerRole::Arbiter {
                return arbiter_samples(hello);
            }
            samples.set(&MONGOD_AUTHORIZED, &[], 0.0);
            return samples;
        }
        let mut refused = None;
        let set = hello.get_str("setName").ok().map(Arc::<str>::from);
        if matches!(role, ServerRole::DataBearing | ServerRole::OtherMember | ServerRole::Arbiter) {
            match self.replication(process(hello)).await {
                Ok(found) => samples.extend(found),
                Err(error) if role == ServerRole::Arbiter => {
                    self.collectors.leave_out("replication");
                    tracing::debug!(%error, "the arbiter tells no more than hello");
                    return arbiter_samples(hello);
                }
                Err(error) => refused = Some(error),
            }
        } else {
            self.collectors.leave_out("replication");
        }
        match self.status().await {
            Ok(status) => {
                let mut found = server_status::samples(&status);
                self.continuity.apply(process(hello), &mut found, &server_status::LASTING);
                samples.extend(found);
                samples.extend(self.info(process(hello), &status).await);
            }
            Err(error) => refused = Some(error),
        }
        let holds_data = matches!(role, ServerRole::DataBearing | ServerRole::Standalone);
        if holds_data {
            match self.operations().await {
                Ok(found) => samples.extend(found),
                Err(error) => refused = Some(error),
            }
        } else {
            self.collectors.leave_out("current_op");
        }
        let reachable = Reachable { probe: self.probe.clone(), set, process: process(hello) };
        self.found.send_replace(holds_data.then_some(reachable));
        let is_refused = refused.as_ref().is_some_and(is_refusal);
        samples.set_flag(&MONGOD_AUTHORIZED, &[], !is_refused);
        match refused {
            Some(error) => self.tell("a part of the server's state cannot be read", &error),
            None => self.told = None,
        }
        samples
    }

    async fn replication(&mut self, process: Option<ObjectId>) -> Result<Samples, ReplsetError> {
        let probe = self.probe.clone();
        let known = self.config.take().filter(|known| known.process == process);
        let work = async {
            let status = probe.run("admin", "read the replica set's status", rawdoc! { "replSetGetStatus": 1 }).await?;
            if let Some(known) = known.filter(|known| replication::is_in_force(&known.reply, &status)) {
                return Ok((status, known.reply, false));
            }
            let config = probe.run("admin", "read the replica set's config", rawdoc! { "replSetGetConfig": 1 }).await?;
            Ok((status, config, true))
        };
        let result = self.collectors.run("replication", self.interval, work).await;
        self.collectors.sent("replSetGetStatus", result.is_ok());
        if result.as_ref().map_or(true, |(_, _, is_asked)| *is_asked) {
            self.collectors.sent("replSetGetConfig", result.is_ok());
        }
        let (status, config, _) = result?;
        let samples = replication::samples(&status, Some(&config), &mut self.memory);
        self.config = Some(KnownConfig { process, reply: config });
        Ok(samples)
    }

    async fn status(&mut self) -> Result<Document, ReplsetError> {
        let probe = self.probe.clone();
        let result = self.collectors.run("server_status", self.interval, probe.server_status()).await;
        self.collectors.sent("serverStatus", result.is_ok());
        result
    }

    /// What runs for clients at this moment, and what was seen of index builds at the last look at them.
    async fn operations(&mut self) -> Result<Samples, ReplsetError> {
        let (probe, is_due) = (self.probe.clone(), self.looks.is_multiple_of(BUILDS_EVERY));
        let work = async {
            let found = probe.operations(current_op::pipeline()).await?;
            let builds = if is_due { Some(probe.operations(current_op::builds_pipeline()).await?) } else { None };
            Ok((found, builds))
        };
        let result = self.collectors.run("current_op", self.interval, work).await;
        self.collectors.sent("currentOp", result.is_ok());
        let (found, builds) = result.inspect_err(|_| self.looks = 0)?;
        self.looks += 1;
        if let Some(builds) = builds {
            self.builds = current_op::build_samples(builds.as_ref());
        }
        let mut samples = current_op::samples(&found.unwrap_or_default());
        samples.extend(self.builds.clone());
        Ok(samples)
    }

    /// Version and what goes with it: once for each process, and now and then.
    async fn info(&mut self, process: Option<ObjectId>, status: &Document) -> Samples {
        let mut samples = Samples::default();
        let is_known = self
            .identity
            .as_ref()
            .is_some_and(|known| known.process == process && known.read_at.elapsed() < IDENTITY_AGE);
        if !is_known {
            match self.read_identity(process).await {
                Ok(identity) => self.identity = Some(identity),
                Err(error) => tracing::debug!(%error, "the version of the server was not read"),
            }
        }
        if let Some(known) = self.identity.as_ref().filter(|known| known.process == process) {
            let engine = server_status::storage_engine(status).unwrap_or("unknown");
            samples.set(&MONGOD_INFO, &[&known.version, known.edition, engine, &known.fcv], 1.0);
        }
        samples
    }

    async fn read_identity(&mut self, process: Option<ObjectId>) -> Result<Identity, ReplsetError> {
        let build = self.probe.run("admin", "read the server's version", rawdoc! { "buildInfo": 1 }).await;
        self.collectors.sent("buildInfo", build.is_ok());
        let build = build?;
        let command = rawdoc! { "getParameter": 1, "featureCompatibilityVersion": 1 };
        let parameter = self.probe.run("admin", "read the feature compatibility version", command).await;
        self.collectors.sent("getParameter", parameter.is_ok());
        // Arbiters have none.
        let fcv = parameter.ok().and_then(|reply| {
            reply.get_document("featureCompatibilityVersion").ok()?.get_str("version").ok().map(str::to_owned)
        });
        let is_enterprise = build
            .get_array("modules")
            .is_ok_and(|modules| modules.iter().any(|module| module.as_str() == Some("enterprise")));
        Ok(Identity {
            process,
            read_at: Instant::now(),
            version: build.get_str("version").unwrap_or("unknown").to_owned(),
            edition: if is_enterprise { "enterprise" } else { "community" },
            fcv: fcv.unwrap_or_else(|| "unknown".to_owned()),
        })
    }

    /// The same trouble once, until something else happens or it is over.
    fn tell(&mut self, what: &str, error: &ReplsetError) {
        let kind = format!("{what}: {:?}", error.kind());
        if self.told.as_ref() != Some(&kind) {
            tracing::warn!(event = "server_not_read", %error, "{what}; trying again without saying so");
            self.told = Some(kind);
        }
    }
}

fn is_refusal(error: &ReplsetError) -> bool {
    matches!(error.kind(), ErrorKind::AuthFailed | ErrorKind::MissingPrivilege(_))
}

fn now_millis() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
