//! What a restore that stopped because the archive is damaged says about the destination, and how to go on.

use archive::plan::RestorePlan;

use super::Context;
use crate::failure::{Failure, FailureKind, VERIFY};

const EMPTY_IT: &str = "take a fresh replica set, or empty this one (drop every database but admin, config and local, then \
                        every config.tidemark_* collection)";

/// Adds to an integrity failure what was written, and which command avoids the damaged snapshot; advice of its own comes
/// first. Whatever else stopped the restore goes away, and the same command goes on.
pub async fn explain(context: &Context, plan: &RestorePlan, failure: Failure) -> Failure {
    if failure.kind != FailureKind::Integrity {
        return failure;
    }
    // Whether this or an earlier attempt has written; when the destination cannot be asked, it has.
    let has_written = context.destination.list_existing().await.map_or(true, |existing| !existing.is_empty());
    let other = match context.reader.without_snapshot(plan).await {
        Ok(command) => command,
        Err(_) => "dr-cli list shows older snapshots".to_owned(),
    };
    let own = Some(failure.next.as_str()).filter(|next| !next.is_empty() && *next != VERIFY);
    let known = |advice: &str| [own, Some(&other)].into_iter().flatten().any(|text| text.contains(advice));
    let all = (!known("dr-cli verify")).then(|| format!("{VERIFY} names everything that is damaged"));
    let next = [own, has_written.then_some(EMPTY_IT), Some(&other), all.as_deref()];
    let next = next.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let state = if has_written {
        "the destination is incomplete and must not be used"
    } else {
        "nothing was written into the destination"
    };
    Failure { what: format!("{}; {state}", failure.what), next, ..failure }
}
