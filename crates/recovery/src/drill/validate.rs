//! The server's own word on what it holds: `validate` of every collection reads its records and compares them with the indexes.

use archive::drill::{Check, Outcome};
use archive::reference::ListedName;
use bson::{Document, rawdoc};
use replset::{Destination, ErrorKind};

use crate::failure::Result;
use crate::progress::{Progress, Unit};

/// Problems that a check names.
const SHOWN: usize = 3;

pub async fn validate(
    destination: &Destination,
    collections: &[ListedName],
    progress: &dyn Progress,
) -> Result<Vec<Check>> {
    progress.phase("validate", Some(collections.len() as u64), Unit::Items);
    let mut checks = Vec::new();
    for ListedName { namespace, .. } in collections {
        let command = rawdoc! { "validate": namespace.coll.as_str() };
        let (outcome, detail) = match destination.run_raw(&namespace.db, command).await {
            Ok(reply) => judge(reply.document()),
            Err(error) if matches!(error.kind(), ErrorKind::MissingPrivilege(_)) => {
                (Outcome::Skipped, "the user may not run it; grant `dbAdminAnyDatabase`".to_owned())
            }
            Err(error) => return Err(error.into()),
        };
        checks.push(Check { name: format!("validate {namespace}"), outcome, detail });
        progress.advance(1);
    }
    Ok(checks)
}

fn judge(reply: &Document) -> (Outcome, String) {
    if reply.get_bool("valid").unwrap_or(false) {
        return (Outcome::Passed, String::new());
    }
    let errors = reply.get_array("errors").into_iter().flatten().filter_map(bson::Bson::as_str);
    let errors: Vec<&str> = errors.take(SHOWN).collect();
    let detail = if errors.is_empty() { "the server says that it is not valid".to_owned() } else { errors.join("; ") };
    (Outcome::Failed, detail)
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn only_what_the_server_calls_valid_passes() {
        assert_eq!(judge(&doc! { "valid": true, "errors": [] }), (Outcome::Passed, String::new()));
        let failed = judge(&doc! { "valid": false, "errors": ["a", "b", "c", "d"] });
        assert_eq!(failed, (Outcome::Failed, "a; b; c".to_owned()));
        assert_eq!(judge(&doc! {}).0, Outcome::Failed);
    }
}
