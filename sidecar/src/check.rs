//! `sidecar check`: what would fail, before it fails. Every check runs, whatever the others say; the worst decides the
//! exit code. The store proof writes
//! below `sidecar-check/control/` and removes it again.

use replset::oplog;
use replset::privileges::{self, Task};
use serde::Serialize;

use crate::archive_store::Stores;
use crate::config::Config;
use crate::error::{Error, Report, Result};
use crate::source::{Source, SourceMember};
use crate::store_proof;

#[derive(Debug, Clone, Serialize)]
pub struct CheckResult {
    pub check: &'static str,
    pub ok: bool,
    pub found: String,
    pub exit_code: u8,
    pub error: Option<Report>,
}

pub async fn check(config: &Config) -> Vec<CheckResult> {
    let source = Source::new(&config.uri, config.member.as_deref());
    let mut results = vec![outcome("server", server(&source).await)];
    let member = source.choose().await;
    results.push(outcome("member", describe(&source, member.as_ref()).await));
    if let Ok(member) = &member {
        results.push(outcome("privileges", user(member).await));
        results.push(outcome("oplog", oplog_reach(member).await));
    }
    let stores = Stores::open(&config.archive, config.control_url()).await;
    results
        .push(outcome("archive", stores.as_ref().map(|stores| stores.archive.location().to_owned()).map_err(restate)));
    if let Ok(stores) = &stores {
        results.extend(store(stores).await);
        results.push(outcome("lineage", lineage(&source, stores, config.new_lineage).await));
    }
    results
}

/// Of the worst result.
pub fn exit_code(results: &[CheckResult]) -> u8 {
    // A foreign lineage or a wrong configuration has to be corrected before anything else matters.
    const ORDER: [u8; 6] = [9, 5, 2, 8, 7, 1];
    ORDER.into_iter().find(|code| results.iter().any(|result| result.exit_code == *code)).unwrap_or(0)
}

pub fn text(results: &[CheckResult]) -> String {
    let line = |result: &CheckResult| match &result.error {
        None => format!("ok      {}: {}\n", result.check, result.found),
        Some(report) => {
            let indented = report.to_string().replace('\n', "\n      ");
            format!("failed  {}: {indented}\n", result.check)
        }
    };
    results.iter().map(line).collect()
}

fn outcome(check: &'static str, result: Result<String>) -> CheckResult {
    match result {
        Ok(found) => CheckResult { check, ok: true, found, exit_code: 0, error: None },
        Err(error) => CheckResult {
            check,
            ok: false,
            found: String::new(),
            exit_code: error.exit_code(),
            error: Some(error.report()),
        },
    }
}

/// An error that is shown and still needed: store errors cannot be cloned.
fn restate(error: &Error) -> Error {
    match error {
        Error::Replset(error) => Error::Replset(error.clone()),
        Error::Store(error) => Error::Store(
            store::StoreError::new(error.kind(), error.operation(), error.location()).with_detail(error.to_string()),
        ),
        other => Error::Internal(other.to_string()),
    }
}

async fn server(source: &Source) -> Result<String> {
    let topology = source.topology().await?;
    let members: Vec<String> =
        topology.members.iter().map(|member| format!("{} {}", member.host, member.state.as_str())).collect();
    Ok(format!("replica set {} ({}): {}", topology.set_name, topology.replica_set_id, members.join(", ")))
}

async fn describe(source: &Source, member: Result<&SourceMember, &Error>) -> Result<String> {
    let member = member.map_err(restate)?;
    let version = member.version().await?;
    let topology = source.topology().await?;
    let state = topology.members.iter().find(|one| one.host == member.host).map_or("?", |one| one.state.as_str());
    Ok(format!(
        "{} is read ({state}, MongoDB {}, FCV {})",
        member.host, version.version, version.feature_compatibility_version
    ))
}

async fn user(member: &SourceMember) -> Result<String> {
    privileges::require(&member.connection, Task::Source).await?;
    Ok(format!("everything that {} give", Task::Source.roles()))
}

async fn oplog_reach(member: &SourceMember) -> Result<String> {
    let ends = (oplog::oldest_entry(&member.connection).await?, oplog::newest_entry(&member.connection).await?);
    let (Some(oldest), Some(newest)) = ends else {
        return Err(Error::Internal("the oplog is empty".to_owned()));
    };
    let (oldest, newest) = (oplog::entry_op_time(&oldest)?.ts, oplog::entry_op_time(&newest)?.ts);
    Ok(format!("{} s, from {oldest} to {newest}", newest.seconds.saturating_sub(oldest.seconds)))
}

/// One line for each property that the archive relies on.
async fn store(stores: &Stores) -> Vec<CheckResult> {
    let proven = match store_proof::prove(stores).await {
        Ok(proven) => proven,
        Err(error) => return vec![outcome("store proof", Err(error))],
    };
    let judged = proven.into_iter().map(|one| {
        let name = one.check.name;
        outcome(name, one.judge().map(|()| format!("{} ({})", one.check.found, one.check.verdict)))
    });
    judged.collect()
}

async fn lineage(source: &Source, stores: &Stores, new_lineage: bool) -> Result<String> {
    let own = source.lineage().await?.lineage;
    let mut others = Vec::new();
    for folder in stores.archive.list_folders("").await? {
        if stores.archive.head(&format!("{folder}/lineage.json")).await?.is_none() {
            continue;
        }
        if folder == own.as_str() {
            return Ok(format!("{own} is in the archive"));
        }
        others.push(folder);
    }
    match others.into_iter().next() {
        Some(found) if !new_lineage => Err(Error::ForeignLineage { own, found }),
        _ => Ok(format!("{own} will be opened")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_check_decides() {
        let result =
            |exit_code| CheckResult { check: "x", ok: exit_code == 0, found: String::new(), exit_code, error: None };
        assert_eq!(exit_code(&[result(0), result(0)]), 0);
        assert_eq!(exit_code(&[result(0), result(1), result(8)]), 8);
        assert_eq!(exit_code(&[result(8), result(9)]), 9);
    }
}
