//! The `mongod` beside the sidecar.

use super::{Metric, group};

group! {
    SERVER, "The server",
    "Is it there, and may it be asked? Everything else of the server is absent while `tidemark_mongod_up` is 0.";
    MONGOD_UP = Metric::gauge("tidemark_mongod_up", "1 while the mongod of this sidecar answers, else 0.")
        .when("always, from the start")
        .from("hello")
        .why("0 and not absent when the server is down, so that one rule finds it");
    MONGOD_AUTHORIZED = Metric::gauge(
        "tidemark_mongod_authorized",
        "1 while the server accepts the credentials of the sidecar and lets it read its state, else 0.")
        .when("while the server is up; not beside an arbiter, which has no users")
        .from("any command that was refused with code 13 or 18")
        .why("wrong password or missing role clusterMonitor: said once in the log, and here for as long as it lasts");
    MONGOD_INFO = Metric::gauge(
        "tidemark_mongod_info",
        "Always 1; version, edition, storage engine and feature compatibility version of the server are labels.")
        .by(&["version", "edition", "storage_engine", "fcv"])
        .when("while the server is up and authorized")
        .from("buildInfo, serverStatus.storageEngine.name, getParameter featureCompatibilityVersion")
        .why("annotations on upgrades; mixed versions in a set");
    MONGOD_UPTIME_SECONDS = Metric::gauge("tidemark_mongod_uptime_seconds", "Seconds since the mongod process started.")
        .when("while the server is up and authorized")
        .from("serverStatus.uptimeMillis")
        .why("guards rules that must wait until a restart has settled");
    CLOCK_SKEW_SECONDS = Metric::gauge(
        "tidemark_clock_skew_seconds",
        "Wall clock of the server minus that of the sidecar, in seconds; the time of the request is taken off.")
        .when("while the server is up")
        .from("hello.localTime")
        .why("ages of backups and restore targets are wrong with a wrong clock");
}
