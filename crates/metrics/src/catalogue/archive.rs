//! The oplog archive and the snapshots of this sidecar, as they come.

use super::{Metric, group};

const ALWAYS: &str = "always, from the start";
const ARCHIVING: &str = "at the sidecar that archives";

group! {
    ARCHIVE, "Archiving",
    "What this sidecar does. Of the sidecars of a replica set one archives: take the maximum or the sum over all. \
     These have no label of the set: join with tidemark_lineage_info by pod.";
    ARCHIVER_LEASE_HELD = Metric::gauge("tidemark_archiver_lease_held", "1 while this sidecar archives, 0 while it stands by: of the sidecars of a replica set one has 1.")
        .when(ALWAYS).from("lease in control/").why("nobody has it: nothing is archived");
    ARCHIVER_LEASE_EPOCH = Metric::gauge("tidemark_archiver_lease_epoch", "Newest epoch of the archiver lease that this sidecar knows; each holder has the next one.")
        .when("once the lease was looked at").from("lease in control/").why("changes() of it counts takeovers");
    ARCHIVER_LEASES_LOST_TOTAL = Metric::counter("tidemark_archiver_leases_lost_total", "How often another sidecar took over the archiver lease that this one held.")
        .when(ALWAYS).from("lease in control/").why("pauses, slow stores");
    ARCHIVED_THROUGH_TIMESTAMP_SECONDS = Metric::gauge("tidemark_archived_through_timestamp_seconds", "Newest moment of the oplog that is in the archive.")
        .when(ARCHIVING).from("published slices").why("the age of it bounds what can be lost; an idle set advances it every minute");
    ARCHIVE_LAG_SECONDS = Metric::gauge("tidemark_archive_lag_seconds", "Committed writes of so many seconds are not in the archive yet: what would be lost now.")
        .when(ARCHIVING).from("newest committed write minus newest published slice, both by the server's clock").why("the recovery point, free of clock skew");
    OPLOG_HEADROOM_SECONDS = Metric::gauge("tidemark_oplog_headroom_seconds", "Seconds of oplog between its oldest entry and what is archived, while that can be asked; at 0 there is a gap.")
        .when("at the sidecar that archives, while its member answers").from("archived through minus oldest entry").why("time until history is lost for good");
    ARCHIVE_SHORTFALL = Metric::gauge("tidemark_archive_shortfall", "1 while something is missing that was once archived, by its kind.")
        .by(&["kind"]).when(ALWAYS).from("high-water mark against the listing; kind: slices_missing, snapshot_missing").why("somebody deleted backups");
    SLICES_PUBLISHED_TOTAL = Metric::counter("tidemark_slices_published_total", "Oplog slices published by this sidecar.")
        .when(ALWAYS).from("archiver").why("throughput");
    SLICE_BYTES_TOTAL = Metric::counter("tidemark_slice_bytes_total", "Bytes of published oplog slices, as stored.")
        .when(ALWAYS).from("archiver").why("throughput, cost");
    SLICE_ENTRIES_TOTAL = Metric::counter("tidemark_slice_entries_total", "Oplog entries in published slices.")
        .when(ALWAYS).from("archiver").why("throughput");
    SLICES_YIELDED_TOTAL = Metric::counter("tidemark_slices_yielded_total", "Oplog slices not published because another sidecar had archived the same history.")
        .when(ALWAYS).from("archiver").why("two archive at once");
    PUBLISH_FAILURES_TOTAL = Metric::counter("tidemark_publish_failures_total", "Failed attempts to publish an oplog slice; each is tried again.")
        .when(ALWAYS).from("archiver").why("the store refuses or is away");
    GAPS_TOTAL = Metric::counter("tidemark_gaps_total", "Gaps recorded: oplog that was overwritten before it was archived, or that cannot be replayed.")
        .when(ALWAYS).from("archiver").why("moments that can never be restored");
    SNAPSHOT_RUNNING = Metric::gauge("tidemark_snapshot_running", "1 while this sidecar takes a snapshot.")
        .when(ALWAYS).from("scheduler").why("load on the member");
    SNAPSHOTS_COMPLETED_TOTAL = Metric::counter("tidemark_snapshots_completed_total", "Snapshots published by this sidecar.")
        .when(ALWAYS).from("scheduler").why("use increase(), it starts at 0 with the process");
    SNAPSHOTS_FAILED_TOTAL = Metric::counter("tidemark_snapshots_failed_total", "Attempts to take a snapshot that failed.")
        .when(ALWAYS).from("scheduler").why("as above");
    LAST_SNAPSHOT_TIMESTAMP_SECONDS = Metric::gauge("tidemark_last_snapshot_timestamp_seconds", "Moment at which the newest complete snapshot of the lineage is consistent.")
        .when("at the sidecar that archives, once there is one").from("manifest.end").why("where replay starts");
    SNAPSHOT_DURATION_SECONDS = Metric::gauge("tidemark_snapshot_duration_seconds", "How long the newest snapshot took, in seconds.")
        .when("once known").from("manifest started_at to published_at").why("stuck or slowing snapshots");
    SNAPSHOT_BYTES = Metric::gauge("tidemark_snapshot_bytes", "Plain bytes of the documents in the newest snapshot.")
        .when("as tidemark_last_snapshot_timestamp_seconds").from("manifest.totals.bytes").why("half of it yesterday: something is missing");
    SNAPSHOT_STORED_BYTES = Metric::gauge("tidemark_snapshot_stored_bytes", "Bytes of the newest snapshot's segments as stored.")
        .when("as tidemark_last_snapshot_timestamp_seconds").from("manifest.totals.stored_bytes").why("cost");
    SNAPSHOT_DOCUMENTS = Metric::gauge("tidemark_snapshot_documents", "Documents in the newest snapshot.")
        .when("as tidemark_last_snapshot_timestamp_seconds").from("manifest.totals.documents").why("as the bytes");
    REFERENCES_COMPLETED_TOTAL = Metric::counter("tidemark_references_completed_total", "References (digests of collections at one cluster time) stored by this sidecar.")
        .when(ALWAYS).from("reference schedule").why("drills compare with them");
    REFERENCES_FAILED_TOTAL = Metric::counter("tidemark_references_failed_total", "Attempts to take a reference that failed.")
        .when(ALWAYS).from("reference schedule").why("as above");
    LAST_REFERENCE_TIMESTAMP_SECONDS = Metric::gauge("tidemark_last_reference_timestamp_seconds", "Cluster time of the newest reference that this sidecar stored.")
        .when("once there is one").from("reference schedule").why("as above");
}
