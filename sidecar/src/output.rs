//! What the commands print: data on stdout, errors on stderr; with `--json` one object on stdout, also on error.

use archive::manifest::SnapshotManifest;
use archive::reference::Reference;
use serde_json::{Value, json};

use crate::error::Error;

/// The members that every command has, followed by its own.
pub fn envelope(command: &str, outcome: &str, exit_code: u8, error: &Value, own: Value) -> Value {
    let mut object = json!({
        "schema": 1, "command": command, "outcome": outcome, "exit_code": exit_code, "error": error,
    });
    if let (Value::Object(object), Value::Object(own)) = (&mut object, own) {
        object.extend(own);
    }
    object
}

pub fn failed(command: &str, error: &Error) -> Value {
    let outcome = if matches!(error.exit_code(), 2 | 7 | 9) { "refused" } else { "failed" };
    let report = serde_json::to_value(error.report()).unwrap_or(Value::Null);
    envelope(command, outcome, error.exit_code(), &report, json!({}))
}

pub fn snapshot_json(manifest: &SnapshotManifest) -> Value {
    let own = json!({
        "lineage": manifest.lineage,
        "snapshot": {
            "id": manifest.snapshot,
            "begin": manifest.begin,
            "end": manifest.end,
            "published_at": manifest.published_at,
            "member": manifest.member,
            "collections": manifest.totals.collections,
            "documents": manifest.totals.documents,
            "bytes": manifest.totals.bytes,
            "stored_bytes": manifest.totals.stored_bytes,
        },
    });
    envelope("snapshot", "ok", 0, &Value::Null, own)
}

pub fn snapshot_line(manifest: &SnapshotManifest) -> String {
    let totals = &manifest.totals;
    format!(
        "snapshot {} published: consistent at {}, {} collections, {} documents, {} ({} stored), read from {}",
        manifest.snapshot,
        manifest.end,
        totals.collections,
        totals.documents,
        show_bytes(totals.bytes),
        show_bytes(totals.stored_bytes),
        manifest.member
    )
}

pub fn reference_json(reference: &Reference) -> Value {
    let own = json!({
        "lineage": reference.lineage,
        "reference": {
            "at": reference.at,
            "member": reference.member,
            "recorded_at": reference.recorded_at,
            "collections": reference.collections.len(),
            "documents": documents(reference),
            "bytes": plain_bytes(reference),
            "missing": reference.missing,
        },
    });
    envelope("reference", "ok", 0, &Value::Null, own)
}

pub fn reference_text(reference: &Reference) -> String {
    let mut text = format!(
        "reference of {} stored: {} collections, {} documents, {}, read from {}\n",
        reference.at,
        reference.collections.len(),
        documents(reference),
        show_bytes(plain_bytes(reference)),
        reference.member
    );
    for missing in &reference.missing {
        let reason = serde_json::to_value(&missing.reason).unwrap_or_default();
        let reason = reason.as_str().unwrap_or_default().replace('_', " ");
        let namespace = missing.namespace.to_string();
        text.push_str(&format!("not read: {} ({reason}", namespace.escape_debug()));
        text.push_str(&if missing.detail.is_empty() { ")\n".to_owned() } else { format!(": {})\n", missing.detail) });
    }
    text
}

fn documents(reference: &Reference) -> u64 {
    reference.collections.iter().map(|collection| collection.count).sum()
}

fn plain_bytes(reference: &Reference) -> u64 {
    reference.collections.iter().map(|collection| collection.bytes).sum()
}

fn show_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut rest = bytes;
    let mut fraction = 0;
    let mut unit = 0;
    while rest >= 1024 && unit + 1 < UNITS.len() {
        fraction = rest % 1024 * 10 / 1024;
        rest /= 1024;
        unit += 1;
    }
    if unit == 0 { format!("{rest} B") } else { format!("{rest}.{fraction} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        assert_eq!(
            [0, 1023, 1024, 1_572_864, u64::MAX].map(show_bytes),
            ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "16777215.9 TiB"]
        );
    }

    #[test]
    fn an_error_has_the_four_parts_and_its_exit_code() {
        let value = failed("snapshot", &Error::LeaseHeld { holder: "pod/1".to_owned() });
        assert_eq!(value["exit_code"], 7);
        assert_eq!(value["outcome"], "refused");
        for part in ["kind", "what", "where", "cause", "next"] {
            assert!(value["error"][part].as_str().is_some_and(|text| !text.is_empty()), "{part}: {value}");
        }
    }
}
