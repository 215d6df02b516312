//! Oplog entries that this version does not know: the restore stops before its first write and names them.

use anyhow::{Result, ensure};
use bson::spec::BinarySubtype;
use bson::{Binary, RawDocumentBuf, Timestamp, rawdoc};
use e2e::scenario::refused;
use e2e::{Scenario, destination, forge};
use mongodb::bson::doc;

/// The fields of an entry of a transaction, which only a sharded cluster writes in the prepared form.
fn in_transaction(o: RawDocumentBuf, previous: u32) -> RawDocumentBuf {
    let bytes = |fill, length| vec![fill; length];
    let id = Binary { subtype: BinarySubtype::Uuid, bytes: bytes(7, 16) };
    let uid = Binary { subtype: BinarySubtype::Generic, bytes: bytes(9, 32) };
    rawdoc! {
        "op": "c", "ns": "admin.$cmd", "o": o, "lsid": { "id": id, "uid": uid }, "txnNumber": 5_i64,
        "prevOpTime": { "ts": Timestamp { time: previous, increment: 0 }, "t": -1_i64 },
    }
}

/// Cases 7 and 41.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_unknown_kinds_stop_a_restore_that_would_have_to_replay_them() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", (0..10).map(|id| doc! { "_id": id })).await?;
    scenario.begin_archiving().await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    let set = destination().await?;

    let unknown = rawdoc! { "op": "xi", "ns": "shop.orders", "o": { "_id": 1 } };
    let prepared = |operation: RawDocumentBuf| in_transaction(rawdoc! { "applyOps": [operation], "prepare": true }, 0);
    let import = rawdoc! { "op": "c", "ns": "shop.$cmd", "o": { "importCollection": "orders" } };
    let commit = rawdoc! { "commitTransaction": 1, "commitTimestamp": Timestamp { time: 1, increment: 1 } };
    let cases: [(&str, RawDocumentBuf, i32, &[&str]); 5] = [
        ("an unknown code", unknown.clone(), 4, &["`xi`", "shop.orders"]),
        ("an unknown command", import.clone(), 4, &["`importCollection`", "shop.orders"]),
        ("an unknown operation, prepared", prepared(unknown), 4, &["`xi`", "shop.orders"]),
        ("an unknown command, prepared", prepared(import), 4, &["`importCollection`", "shop.orders"]),
        ("a commit of what was prepared nowhere", in_transaction(commit, 1), 5, &["transaction", "missing"]),
    ];
    for (what, entry, exit_code, says) in cases {
        let copy = scenario.archive.duplicate()?;
        let noop = rawdoc! { "op": "n", "ns": "", "o": { "msg": "before it" } };
        let at = forge::append_slice(&copy, [noop.clone(), entry, noop])?[1];
        let error = refused(&copy, &set, "latest", exit_code).await.map_err(|error| error.context(what))?;
        for text in says.iter().copied().chain([at.to_string().as_str()]) {
            ensure!(error.to_string().contains(text), "{what}: `{text}` is not said: {error}");
        }
        // Only what comes after it is lost.
        let before = e2e::scenario::cli(&copy, &["plan", "--to", &format!("before:{at}")]).await?;
        ensure!(before.exit_code == 0, "{what}: {before:?}");
    }
    scenario.restore_into(set, moment.at).await?.assert_equals(&moment)
}
