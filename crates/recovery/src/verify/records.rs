//! The remaining objects of a lineage: references, drill reports, recipients, and what does not belong there.

use archive::LineageId;
use archive::layout::ObjectKey;
use store::ObjectStoreExt;

use super::{Context, VerifyLevel};
use crate::failure::Result;

/// The largest of the small JSON objects.
pub(super) const RECORD_LIMIT: usize = 16 * 1024 * 1024;

/// Where objects of other kinds lie; those were looked at already. `control/` is rewritten while it is read.
const ELSEWHERE: [&str; 4] = ["snapshots", "oplog", "gaps", "control"];

pub(super) async fn verify(context: &mut Context<'_>, lineage: &LineageId) -> Result<()> {
    let store = context.reader.store();
    let prefix = ObjectKey::lineage_prefix(lineage);
    for folder in store.list_folders(&prefix).await? {
        if ELSEWHERE.contains(&folder.as_str()) {
            continue;
        }
        if !["references", "drills", "recipients"].contains(&folder.as_str()) {
            context.findings.note(format!("{prefix}{folder}/"), "a foreign folder");
            continue;
        }
        for object in store.list_all(&format!("{prefix}{folder}/")).await? {
            let Ok(key) = object.key.parse::<ObjectKey>() else {
                context.findings.note(object.key, "a foreign object");
                continue;
            };
            context.findings.checked(object.size);
            let is_text = matches!(key, ObjectKey::DrillText { .. } | ObjectKey::DrillSignature { .. });
            if is_text || context.options.level == VerifyLevel::List {
                if object.size == 0 {
                    context.findings.add(object.key, "it is empty");
                }
                continue;
            }
            let Some(bytes) = store.get_bytes(&object.key, RECORD_LIMIT).await? else { continue };
            if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes) {
                context.findings.add(object.key, format!("it is not JSON: {error}"));
            }
        }
    }
    Ok(())
}
