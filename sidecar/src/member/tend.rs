//! `sidecar member tend`: looks, does one thing, looks again, until it is stopped.
//!
//! Every member has one beside it, and each works through its own member only: the one of ordinal 0 initiates, the one beside
//! the primary does all the rest. Two that believe to be it do no harm: the server takes one of two changes. What is to be done
//! follows from what is seen each time, so that a kill at any moment leaves nothing behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use member::{Change, Decision, Initiation, SetView, Standing, decide, foreign, initiation, may_join};
use replset::member::{Login, Server, is_overtaken};
use replset::topology::Role;
use tokio_util::sync::CancellationToken;

use super::certificates::Certificates;
use super::keyfile;
use super::said::Said;
use super::tend_users::UsersKeeper;
use crate::config::TendConfig;
use crate::error::{Error, Result};
use crate::http;
use crate::http::listener::Closed;
use crate::tasks::Tasks;

/// While something is still to be done.
const SOON: Duration = Duration::from_secs(1);
const SETTLED: Duration = Duration::from_secs(5);
/// For one command of looking; a member that takes longer is looked at again.
const PATIENCE: Duration = Duration::from_secs(5);
/// A round ends within minutes whatever the servers do: each command has its limit.
const STUCK: Duration = Duration::from_mins(5);

/// Tends until stopped.
pub async fn tend(config: TendConfig, stop: CancellationToken) -> Result<()> {
    let closed = Closed::new().map_err(|error| Error::Internal(error.to_string()))?;
    let listener = http::bind(config.listen, closed).await?;
    tracing::info!(event = "serving", address = %config.listen, "serving /livez");
    let (grace, pulse) = (config.shutdown_grace, Pulse::default());
    let router = Router::new().route(
        "/livez",
        get({
            let pulse = pulse.clone();
            async move || pulse.answer()
        }),
    );
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let mut tasks = Tasks::new(stop.clone());
    tasks.spawn("http", async move {
        serving.await.map_err(|error| Error::Internal(format!("serving HTTP ended: {error}")))
    });
    tasks.spawn("tend", async move {
        let (users, certificates) = (UsersKeeper::new(), Certificates::default());
        let mut tender = Tender { users, certificates, config, said: Said::default(), local: None };
        loop {
            let pause = tokio::select! {
                pause = tender.round() => pause,
                () = stop.cancelled() => return Ok(()),
            };
            pulse.beat();
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    });
    tasks.wait(grace).await
}

/// When the last round ended. What the round has found makes no difference: a restart would help nobody.
#[derive(Clone)]
struct Pulse {
    start: Instant,
    last_second: Arc<AtomicU64>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { start: Instant::now(), last_second: Arc::default() }
    }
}

impl Pulse {
    fn beat(&self) {
        self.last_second.store(self.start.elapsed().as_secs(), Ordering::Relaxed);
    }

    fn answer(&self) -> (StatusCode, &'static str) {
        let silent = self.start.elapsed().as_secs().saturating_sub(self.last_second.load(Ordering::Relaxed));
        if silent > STUCK.as_secs() {
            (StatusCode::SERVICE_UNAVAILABLE, "it has looked at nothing for minutes\n")
        } else {
            (StatusCode::OK, "ok\n")
        }
    }
}

struct Tender {
    config: TendConfig,
    said: Said,
    users: UsersKeeper,
    certificates: Certificates,
    /// The local server, and the key that it was opened with.
    local: Option<(Option<String>, Server)>,
}

/// What a round has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    Settled,
    /// Something was done, or waits for something to happen soon.
    Unsettled,
}

impl Tender {
    /// How long to wait before the next one.
    async fn round(&mut self) -> Duration {
        match self.look_and_act().await {
            Ok(round) => {
                self.said.forget("round");
                if round == Round::Settled { SETTLED } else { SOON }
            }
            Err(Error::Replset(error)) if is_overtaken(&error) => {
                tracing::debug!(%error, "another change came first");
                SOON
            }
            Err(error) => {
                // The connection may be one of a server that is gone, or of a key that was replaced.
                self.local = None;
                if self.said.is_news("round", &error.to_string()) {
                    tracing::warn!(event = "member_not_tended", %error, "this member cannot be tended now; it is tried again");
                }
                SOON
            }
        }
    }

    async fn look_and_act(&mut self) -> Result<Round> {
        self.renew_certificates().await?;
        let server = self.local().await?;
        let role = server.hello().await?.role;
        match role {
            Role::Uninitiated => self.before_initiation(&server).await,
            Role::Primary => {
                self.said.forget("initiation");
                self.as_primary(&server).await
            }
            Role::NoMember => {
                let detail = "it was not started for a replica set (--replSet)";
                let error = replset::ReplsetError::new(
                    replset::ErrorKind::NotReplicaSet,
                    "tend the member",
                    server.host(),
                    detail,
                );
                Err(error.into())
            }
            Role::Secondary | Role::Arbiter | Role::Unreadable => {
                self.said.forget("initiation");
                self.users.forget();
                Ok(Round::Settled)
            }
        }
    }

    async fn renew_certificates(&mut self) -> Result<()> {
        let by_address = replset::member::host_of(&self.config.uri).await?;
        let by_name = self.config.hosts.host(self.config.ordinal);
        let hosts: Vec<&str> = by_name.iter().chain([&by_address]).map(String::as_str).collect();
        let Some(renewed) = self.certificates.look(&self.config.certificates, &hosts, &mut self.said).await else {
            return Ok(());
        };
        match self.reached().await {
            Ok(server) => {
                if self.certificates.rotate(&server, renewed, &mut self.said).await {
                    // It was opened with what the files held before.
                    self.local = None;
                }
            }
            // The server may not be up yet. What lasts keeps the rest of the round from it, too, which tells.
            Err(error) => tracing::debug!(%error, "the server is not told of its certificates now"),
        }
        Ok(())
    }

    /// The local server by the connection that stands, for which no file is needed, or else by one for which its certificate does not count.
    async fn reached(&self) -> Result<Server> {
        if let Some((_, server)) = &self.local
            && server.hello().await.is_ok()
        {
            return Ok(server.clone());
        }
        let key = keyfile::read(self.config.keyfile.as_deref())?;
        let login = key.as_deref().map_or(Login::Uri, Login::Key);
        let server = Server::open_unverified(&self.config.uri, login, PATIENCE).await?;
        server.hello().await?;
        Ok(server)
    }

    async fn local(&mut self) -> Result<Server> {
        let key = keyfile::read(self.config.keyfile.as_deref())?;
        match &self.local {
            Some((opened_with, server)) if *opened_with == key => Ok(server.clone()),
            _ => {
                let server = self.open(None, key.as_deref()).await?;
                self.local = Some((key, server.clone()));
                Ok(server)
            }
        }
    }

    async fn open(&self, host: Option<&str>, key: Option<&str>) -> Result<Server> {
        let login = key.map_or(Login::Uri, Login::Key);
        Ok(Server::open(&self.config.uri, host, login, PATIENCE).await?)
    }

    /// How a host stands, asked by its name in the configuration.
    async fn standing(&self, host: &str) -> Result<Standing> {
        let key = keyfile::read(self.config.keyfile.as_deref())?;
        let server = self.open(Some(host), key.as_deref()).await?;
        let standing = server.standing().await;
        server.close().await;
        Ok(standing)
    }

    async fn before_initiation(&mut self, server: &Server) -> Result<Round> {
        if self.config.ordinal != 0 {
            if self.said.is_news("initiation", "others") {
                tracing::info!(event = "set_awaited", "this member waits to be taken into its replica set");
            }
            return Ok(Round::Unsettled);
        }
        let members = self.config.members.read().map_err(|reason| Error::WantedMembers { reason })?;
        let mut seen = Vec::new();
        for ordinal in 0..members {
            let Some(host) = self.config.hosts.host(ordinal) else {
                return Err(Error::WantedMembers {
                    reason: format!("{members} are wanted, and ordinal {ordinal} has no host"),
                });
            };
            // The own one twice: by the address that is tended, and by its name, which has to lead to the same server.
            if ordinal == self.config.ordinal {
                seen.push((host.clone(), server.standing().await));
            }
            let standing = self.standing(&host).await?;
            if ordinal != self.config.ordinal || standing != Standing::Fresh {
                seen.push((host, standing));
            }
        }
        match initiation(self.config.ordinal, seen) {
            Initiation::NotMine => Ok(Round::Unsettled),
            Initiation::Wait(obstacles) => {
                let obstacles: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
                let obstacles = obstacles.join("; ");
                if self.said.is_news("initiation", &obstacles) {
                    tracing::warn!(
                        event = "set_not_initiated",
                        obstacles,
                        "the replica set is initiated only when every member answers, is empty and belongs to no set"
                    );
                }
                Ok(Round::Unsettled)
            }
            Initiation::Initiate(hosts) => {
                server.initiate(&self.config.set_name, &hosts).await?;
                tracing::info!(
                    event = "set_initiated",
                    replica_set = self.config.set_name,
                    members = hosts.join(","),
                    "the replica set was initiated"
                );
                Ok(Round::Unsettled)
            }
        }
    }

    async fn as_primary(&mut self, server: &Server) -> Result<Round> {
        // Users first: whatever the members are at, somebody wants to sign in. And a user that cannot be made, because a role is
        // not there, holds up nothing else.
        let users = self.users.keep(server, &self.config, &mut self.said).await;
        if server.set_defaults(&self.config.defaults).await? {
            let (write, read) = (&self.config.defaults.write, &self.config.defaults.read);
            tracing::info!(event = "defaults_set", ?write, ?read, "default concerns were set");
        }
        let members = self.tend_members(server).await?;
        Ok(if users? && members == Round::Settled { Round::Settled } else { Round::Unsettled })
    }

    async fn tend_members(&mut self, server: &Server) -> Result<Round> {
        let wanted = match self.config.members.read() {
            Ok(wanted) => wanted,
            Err(reason) => {
                if self.said.is_news("members", &reason) {
                    tracing::warn!(event = "members_wait", reason, "members are left as they are");
                }
                return Ok(Round::Unsettled);
            }
        };
        let view = server.view().await?;
        self.tell_foreign(&view.set);
        let mut refused: Vec<String> = Vec::new();
        let mut reasons: Vec<String> = Vec::new();
        loop {
            match decide(&view.set, &self.config.hosts, wanted, &refused) {
                Decision::Do(Change::Add(host)) => {
                    let standing = self.standing(&host).await?;
                    if let Err(obstacle) = may_join(&host, &standing, &view.set.replica_set_id) {
                        reasons.push(obstacle.to_string());
                        refused.push(host);
                        continue;
                    }
                    self.carry_out(server, &view, &Change::Add(host)).await?;
                    return Ok(Round::Unsettled);
                }
                Decision::Do(change) => {
                    self.carry_out(server, &view, &change).await?;
                    return Ok(Round::Unsettled);
                }
                Decision::Wait(hindrance) => reasons.push(hindrance.to_string()),
                Decision::Settled => {}
            }
            break;
        }
        if reasons.is_empty() {
            self.said.forget("members");
            return Ok(Round::Settled);
        }
        let reason = reasons.join("; ");
        if self.said.is_news("members", &reason) {
            tracing::warn!(event = "members_wait", reason, "members are left as they are");
        }
        Ok(Round::Unsettled)
    }

    async fn carry_out(&mut self, server: &Server, view: &replset::member::LocalView, change: &Change) -> Result<()> {
        server.change(view, change).await?;
        self.said.forget("members");
        match change {
            Change::Add(host) => {
                tracing::info!(event = "member_added", host, "a member joined; it gets its vote later");
            }
            Change::Promote(host) => tracing::info!(event = "member_votes", host, "a member that joined has its vote"),
            Change::Remove(host) => tracing::info!(event = "member_removed", host, "a member was removed"),
            Change::StepDown => {
                tracing::info!(event = "member_stepped_down", "this primary is to be removed: another one takes over");
            }
        }
        Ok(())
    }

    fn tell_foreign(&mut self, set: &SetView) {
        let foreign = foreign(set, &self.config.hosts).join(",");
        if foreign.is_empty() {
            self.said.forget("foreign");
        } else if self.said.is_news("foreign", &foreign) {
            tracing::warn!(
                event = "members_foreign",
                hosts = foreign,
                "the replica set has members of other names; they are left alone"
            );
        }
    }
}
