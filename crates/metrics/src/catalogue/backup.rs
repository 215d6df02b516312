//! What the archive holds, read back from it: known again right after a restart.

use super::{Metric, group};

const KIND: &[&str] = &["replset", "kind"];
const REPLSET: &[&str] = &["replset"];
const LOADED: &str = "at the sidecar that archives, once the archive was listed";
const FOUND: &str = "at the sidecar that archives, once there is one";

group! {
    BACKUP, "Backups",
    "Read from the archive by the sidecar that archives, at its start and every few minutes. Aggregate with max by (replset). \
     `kind` is snapshot or reference.";
    LINEAGE_INFO = Metric::gauge("tidemark_lineage_info", "Always 1; replica set and lineage that this sidecar backs up are labels.")
        .by(&["replset", "lineage"])
        .when("at every sidecar, once server and archive are open")
        .from("lineage.json")
        .why("joins metrics without a label of the set to it");
    LINEAGE_CREATED_TIMESTAMP_SECONDS = Metric::gauge("tidemark_lineage_created_timestamp_seconds", "When this cluster was archived for the first time.")
        .by(REPLSET)
        .when(LOADED)
        .from("lineage.json")
        .why("since when a backup, a window or a drill can be expected");
    BACKUP_CATALOG_LOADED = Metric::gauge("tidemark_backup_catalog_loaded", "1 when this sidecar has listed what the archive holds, else 0.")
        .when("always; 0 at a sidecar that stands by")
        .from("listing of the archive")
        .why("tells `never backed up` from `not known yet`");
    REPOSITORY_UP = Metric::gauge("tidemark_repository_up", "1 when the archive answered the last request that this sidecar made to look at it, else 0.")
        .when("at every sidecar, after the first request")
        .from("opening the archive, listing it, publishing slices")
        .why("credentials, policies, network; the recovery point pages later");
    BACKUP_LAST_SUCCESS_TIMESTAMP_SECONDS = Metric::gauge("tidemark_backup_last_success_timestamp_seconds", "When the newest backup of a kind was completed.")
        .by(KIND).when(FOUND).from("manifest.published_at; reference taken_at").why("overdue: compare its age with tidemark_backup_expected_interval_seconds");
    BACKUP_LAST_ATTEMPT_TIMESTAMP_SECONDS = Metric::gauge("tidemark_backup_last_attempt_timestamp_seconds", "When this sidecar last started a backup of a kind.")
        .by(KIND).when("once it did").from("scheduler").why("whether anybody tries");
    BACKUP_LAST_FAILURE_TIMESTAMP_SECONDS = Metric::gauge("tidemark_backup_last_failure_timestamp_seconds", "When a backup of a kind last failed at this sidecar.")
        .by(KIND).when("once one did").from("scheduler").why("failed, and no later success");
    BACKUP_EXPECTED_INTERVAL_SECONDS = Metric::gauge("tidemark_backup_expected_interval_seconds", "The longest time between two backups of a kind by its schedule, in seconds.")
        .by(KIND).when("at the sidecar that archives, for kinds that have a schedule").from("snapshot_schedule, reference_schedule").why("the threshold lives in data: one rule for all");
    BACKUP_STARTED_TIMESTAMP_SECONDS = Metric::gauge("tidemark_backup_started_timestamp_seconds", "When the backup that runs now was started.")
        .by(KIND).when("while one runs").from("scheduler").why("stuck: it runs for much longer than the last one");
    BACKUP_PROGRESS_RATIO = Metric::gauge("tidemark_backup_progress_ratio", "Share of the collections that the running backup has done, 0 to 1.")
        .by(KIND).when("while one runs and its collections are listed").from("scheduler").why("whether it gets anywhere");
    BACKUPS_STORED = Metric::gauge("tidemark_backups_stored", "Complete backups in the archive.")
        .by(KIND).when(LOADED).from("manifests, references").why("retention");
    BACKUP_OLDEST_TIMESTAMP_SECONDS = Metric::gauge("tidemark_backup_oldest_timestamp_seconds", "Moment at which the oldest complete snapshot is consistent.")
        .by(KIND).when(FOUND).from("manifest.end").why("retention");
    BACKUP_REPOSITORY_BYTES = Metric::gauge("tidemark_backup_repository_bytes", "Stored bytes of the lineage; part is snapshots or slices.")
        .by(&["replset", "part"]).when(LOADED).from("manifests, listing of slices").why("cost, growth");
    BACKUP_EXPIRED_TOTAL = Metric::counter("tidemark_backup_expired_total", "Objects that this sidecar deleted by the retention policy.")
        .when("always, from the start").from("expiry").why("retention works; or too much goes");
    BACKUP_VERIFY_LAST_SUCCESS_TIMESTAMP_SECONDS = Metric::gauge("tidemark_backup_verify_last_success_timestamp_seconds", "When this sidecar last verified the archive by its listing and found nothing wrong.")
        .by(REPLSET).when("at the sidecar that archives, once it did").from("what dr-cli verify --level list does").why("silent loss");
    BACKUP_VERIFY_FINDINGS = Metric::gauge("tidemark_backup_verify_findings", "Objects that the last verification found to be missing, foreign or damaged.")
        .by(REPLSET).when("at the sidecar that archives, after the first verification").from("what dr-cli verify --level list does").why("what is wrong with the archive");
    ARCHIVE_GAPS = Metric::gauge("tidemark_archive_gaps", "Gaps that are recorded in the archive.")
        .by(REPLSET).when(LOADED).from("gaps/").why("moments that cannot be restored");
    ARCHIVE_GAP_SECONDS = Metric::gauge("tidemark_archive_gap_seconds", "Seconds of history that lie in recorded gaps.")
        .by(REPLSET).when(LOADED).from("gaps/").why("as above");
    ARCHIVE_GAP_LAST_TIMESTAMP_SECONDS = Metric::gauge("tidemark_archive_gap_last_timestamp_seconds", "Where the newest recorded gap ends.")
        .by(REPLSET).when("once there is one").from("gaps/").why("a snapshot after it closes the matter");
    PITR_WINDOWS = Metric::gauge("tidemark_pitr_windows", "Unbroken stretches of moments that can be restored.")
        .by(REPLSET).when(LOADED).from("coverage of snapshots and slices").why("more than 1: there is a gap; 0: nothing can be restored");
    PITR_WINDOW_START_TIMESTAMP_SECONDS = Metric::gauge("tidemark_pitr_window_start_timestamp_seconds", "First moment of the newest restore window.")
        .by(REPLSET).when(FOUND).from("coverage of snapshots and slices").why("how far back one can go");
    PITR_WINDOW_END_TIMESTAMP_SECONDS = Metric::gauge("tidemark_pitr_window_end_timestamp_seconds", "Last moment of the newest restore window.")
        .by(REPLSET).when(FOUND).from("coverage of snapshots and slices").why("how near to now one can go");
    PITR_WINDOW_TARGET_SECONDS = Metric::gauge("tidemark_pitr_window_target_seconds", "Seconds before now for which every moment shall be restorable.")
        .by(REPLSET).when("at the sidecar that archives, when configured").from("pitr_window").why("the threshold of a short window");
    RPO_TARGET_SECONDS = Metric::gauge("tidemark_rpo_target_seconds", "Archive lag that is still good, in seconds.")
        .when("always, from the start").from("rpo_target").why("the threshold lives in data");
    RPO_OBSERVED_SECONDS_TOTAL = Metric::counter("tidemark_rpo_observed_seconds_total", "Seconds during which this sidecar archived, or should have.")
        .by(REPLSET).when("at the sidecar that archives; 0 from the moment server and archive are open").from("clock").why("the whole of the recovery point objective");
    RPO_GOOD_SECONDS_TOTAL = Metric::counter("tidemark_rpo_good_seconds_total", "Of these, seconds with an archive lag within tidemark_rpo_target_seconds; unknown is not good.")
        .by(REPLSET).when("as tidemark_rpo_observed_seconds_total").from("archive lag").why("good / observed is the service level, usable with rate()");
    RESTORE_DRILL_LAST_SUCCESS_TIMESTAMP_SECONDS = Metric::gauge("tidemark_restore_drill_last_success_timestamp_seconds", "When the newest drill that passed was finished.")
        .by(REPLSET).when(FOUND).from("drills/: verdict PASS or PASS_WITH_FINDINGS").why("a backup that was never restored is a hope");
    RESTORE_DRILL_LAST_ATTEMPT_TIMESTAMP_SECONDS = Metric::gauge("tidemark_restore_drill_last_attempt_timestamp_seconds", "When the newest drill was finished, whatever came out.")
        .by(REPLSET).when(FOUND).from("drills/").why("as above");
    RESTORE_DRILL_LAST_VERDICT = Metric::gauge("tidemark_restore_drill_last_verdict", "1 for the verdict of the newest drill, 0 for the others.")
        .by(&["replset", "verdict"]).when(FOUND).from("drills/: verdict; pass, pass_with_findings, inconclusive, fail").why("what the last exercise proved");
    RESTORE_DRILL_LAST_DURATION_SECONDS = Metric::gauge("tidemark_restore_drill_last_duration_seconds", "Recovery time actual of the newest drill, in seconds.")
        .by(REPLSET).when("once a drill measured it").from("drills/: recovery_time_objective.actual_seconds").why("how long a restore takes here");
    RESTORE_DRILL_LAST_TARGET_LAG_SECONDS = Metric::gauge("tidemark_restore_drill_last_target_lag_seconds", "Recovery point actual of the newest drill, in seconds.")
        .by(REPLSET).when("once a drill measured it").from("drills/: recovery_point_objective.actual_seconds").why("what would have been lost");
    RESTORE_DRILL_LAST_CHECKED_DOCUMENTS = Metric::gauge("tidemark_restore_drill_last_checked_documents", "Documents that the newest drill compared with a reference.")
        .by(REPLSET).when("once a drill compared").from("drills/: integrity.comparison").why("a drill that compares nothing proves nothing");
    RESTORE_DRILLS_STORED = Metric::gauge("tidemark_restore_drills_stored", "Drill reports in the archive, by verdict.")
        .by(&["replset", "verdict"]).when(LOADED).from("drills/").why("history of exercises");
    RESTORE_DRILL_EXPECTED_INTERVAL_SECONDS = Metric::gauge("tidemark_restore_drill_expected_interval_seconds", "Seconds within which a drill shall pass.")
        .by(REPLSET).when("at the sidecar that archives, when configured").from("drill_interval").why("the threshold of an overdue drill");
    RTO_TARGET_SECONDS = Metric::gauge("tidemark_rto_target_seconds", "Seconds within which a restore shall be done.")
        .by(REPLSET).when("at the sidecar that archives, when configured").from("rto_target").why("the threshold of tidemark_restore_drill_last_duration_seconds");
}
