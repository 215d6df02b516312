//! What needs no server and no store: the volume, the recovery point, what runs now.

use metrics::Samples;
use metrics::backup::{Expected, expected_samples};
use metrics::catalogue::{
    BACKUP_CATALOG_LOADED, BACKUP_LAST_ATTEMPT_TIMESTAMP_SECONDS, BACKUP_LAST_FAILURE_TIMESTAMP_SECONDS,
    BACKUP_PROGRESS_RATIO, BACKUP_STARTED_TIMESTAMP_SECONDS, BACKUP_VERIFY_FINDINGS,
    BACKUP_VERIFY_LAST_SUCCESS_TIMESTAMP_SECONDS, LINEAGE_INFO, REPOSITORY_UP, RPO_TARGET_SECONDS,
};
use metrics::rpo::RpoClock;
use metrics::sample::float;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::MonitorSettings;
use super::collectors::Collectors;
use super::volume::Volume;
use crate::error::Result;
use crate::status::StatusBoard;

/// Ends when stopped.
pub async fn run(settings: MonitorSettings, board: StatusBoard, stop: CancellationToken) -> Result<()> {
    let mut volume = settings.data_path.clone().map(Volume::new);
    let (mut collectors, mut rpo, started) = (Collectors::default(), RpoClock::default(), Instant::now());
    let mut ticks = interval(settings.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return Ok(()),
        }
        let mut all = own(&settings, &board, &mut rpo, started.elapsed().as_secs_f64());
        if let Some(volume) = &mut volume {
            tokio::select! {
                samples = volume.look(&mut collectors, settings.interval) => all.extend(samples),
                () = stop.cancelled() => return Ok(()),
            }
        }
        all.extend(collectors.samples());
        board.metrics.collected.put("local", all);
    }
}

fn own(settings: &MonitorSettings, board: &StatusBoard, rpo: &mut RpoClock, now: f64) -> Samples {
    let mut all = Samples::default();
    let target = settings.rpo_target.as_secs_f64();
    all.set(&RPO_TARGET_SECONDS, &[], target);
    let backups = board.metrics.backups.read();
    if let Some(up) = backups.repository.is_up() {
        all.set_flag(&REPOSITORY_UP, &[], up);
    }
    all.set_flag(&BACKUP_CATALOG_LOADED, &[], backups.found.is_some());
    // Without a set nothing is backed up yet.
    let Some(site) = &backups.site else { return all };
    let set = site.replica_set.as_str();
    all.set(&LINEAGE_INFO, &[set, &site.lineage], 1.0);
    let position = board.archiving_position();
    match &position {
        Some(position) => rpo.look(now, position.lag_seconds, target),
        None => rpo.rest(),
    }
    all.extend(rpo.samples(set));
    for (kind, events) in &backups.events {
        all.set_known(&BACKUP_LAST_ATTEMPT_TIMESTAMP_SECONDS, &[set, kind], events.attempted);
        all.set_known(&BACKUP_LAST_FAILURE_TIMESTAMP_SECONDS, &[set, kind], events.failed);
        all.set_known(&BACKUP_STARTED_TIMESTAMP_SECONDS, &[set, kind], events.attempted.filter(|_| events.is_running));
    }
    if let Some(progress) = board.current.report().filter(|progress| progress.collections > 0) {
        let done = float(progress.collections_done as u64) / float(progress.collections as u64);
        all.set(&BACKUP_PROGRESS_RATIO, &[set, "snapshot"], done.min(1.0));
    }
    if let Some(position) = &position {
        let expected = Expected {
            snapshot_interval: site.snapshot_interval,
            reference_interval: site.reference_interval,
            pitr_window: site.pitr_window,
            drill_interval: settings.drill_interval.map(|interval| interval.as_secs_f64()),
            rto: settings.rto_target.map(|target| target.as_secs_f64()),
        };
        all.extend(expected_samples(set, &expected));
        if let Some(verified) = &backups.verified {
            all.set(&BACKUP_VERIFY_FINDINGS, &[set], float(verified.findings));
            all.set_known(&BACKUP_VERIFY_LAST_SUCCESS_TIMESTAMP_SECONDS, &[set], verified.sound_at);
        }
        if let Some(found) = &backups.found {
            all.extend(found.samples(position.archived_through));
        }
    }
    all
}
