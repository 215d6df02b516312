//! What a location has to do where objects are to be retained.

use jiff::{SignedDuration, Timestamp};

use super::{Check, Found, Prover, broken, doubtful, judged, skipped};
use crate::lock::{ObjectLock, Retention, RetentionMode};
use crate::port::{Created, ObjectStoreExt};

/// Long enough for the proof and for clocks that are a little apart; short, because the object stays that long.
const TRIAL: SignedDuration = SignedDuration::from_mins(2);

const NAMES: [&str; 2] = ["lock enforced", "control not locked"];

pub(super) async fn checks(prover: &Prover<'_>) -> Vec<Check> {
    let why = "no retention is asked for (`retention_days`)";
    let Some(lock) = prover.store.lock() else { return NAMES.map(|name| skipped(name, why)).into() };
    let enforced = match lock.retention() {
        Some(retention) => judged(NAMES[0], enforced(prover, lock, retention).await),
        None => skipped(NAMES[0], why),
    };
    vec![enforced, judged(NAMES[1], control(prover, lock).await)]
}

async fn enforced(prover: &Prover<'_>, lock: &dyn ObjectLock, retention: Retention) -> Found {
    let remedy = "use a bucket with Object Lock (a container with version-level immutability); what is archived here \
                  can be destroyed by whoever has the credentials";
    let key = prover.key("locked");
    let until = Timestamp::now() + TRIAL;
    let created = lock.put_retained(&key, "locked".into(), retention.mode, until).await;
    match created {
        Ok(Created::New) => {}
        Ok(Created::AlreadyExists) => return Err(broken("a new name was taken", remedy)),
        Err(error) => return Err(broken(error.to_string(), remedy)),
    }
    let protection = lock.protection(&key).await?.unwrap_or_default();
    // Stores keep whole seconds.
    let kept = protection.retained.is_some_and(|(mode, kept)| {
        mode == retention.mode && kept.duration_since(until).abs() < SignedDuration::from_secs(2)
    });
    if !kept {
        let shown = protection.retained.map_or("none".to_owned(), |(mode, until)| format!("{mode} until {until}"));
        return Err(broken(format!("a retention was accepted at the upload, but the object has {shown}"), remedy));
    }
    if lock.purge(&key).await.is_ok() || prover.store.head(&key).await?.is_none() {
        return Err(broken("a retained object was removed for good", remedy));
    }
    if retention.mode == RetentionMode::Compliance && lock.retain(&key, retention.mode, until - TRIAL / 2).await.is_ok()
    {
        return Err(broken("a retention was shortened", remedy));
    }
    Ok(format!("a retained object cannot be removed ({} mode)", retention.mode))
}

/// A bucket with a default retention keeps every heartbeat of every lease for as long as the backups.
async fn control(prover: &Prover<'_>, lock: &dyn ObjectLock) -> Found {
    let key = prover.key("unlocked");
    let _created = prover.store.put_new(&key, "x".into()).await?;
    let protection = match lock.protection(&key).await {
        Ok(protection) => protection.unwrap_or_default(),
        Err(error) => return Err(doubtful(error.to_string(), "whether control objects are locked could not be seen")),
    };
    match protection.retained {
        Some((mode, until)) => Err(doubtful(
            format!("a control object is retained ({mode} until {until})"),
            "remove the default retention of the bucket, or give control objects another place (`--control`)",
        )),
        None => Ok("control objects are not retained".to_owned()),
    }
}
