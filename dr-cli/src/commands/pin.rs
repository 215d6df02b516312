//! `dr-cli pin`, `unpin`, `freeze`, `unfreeze`: what holds expiry back.

use archive::LineageId;
use archive::catalog::Catalog;
use archive::retention::{Freeze, Pin, Pinned};
use jiff::Timestamp;
use recovery::{ArchiveReader, Failure, FailureKind, Result};
use serde::Serialize;

use crate::args::{FreezeArgs, PinArgs, UnpinArgs, snapshot_id};
use crate::catalog;
use crate::context::{Context, who};
use crate::output::Report;
use crate::output::table::plural;

#[derive(Serialize)]
struct PinChanged<'a> {
    lineage: &'a LineageId,
    pin: &'a Pin,
    /// Objects on which a legal hold was set or lifted.
    held_objects: u64,
}

#[derive(Serialize)]
struct FreezeChanged<'a> {
    lineage: &'a LineageId,
    freeze: Option<&'a Freeze>,
}

pub async fn pin(context: &Context, args: &PinArgs) -> Result<Report> {
    let reader = context.open().await?;
    let lineage = context.lineage(&reader).await?.lineage;
    let keeps = keeps(&reader, &lineage, args).await?;
    let id = args.id.clone().unwrap_or_else(|| default_id(&keeps));
    let mut pin = Pin::new(id, keeps, &args.reason, now());
    pin.pinned_by = who("dr-cli pin");
    pin.until = args.until;
    pin.legal_hold = args.legal_hold;
    if args.until.is_some_and(|until| until <= Timestamp::now()) {
        return Err(Failure::new(FailureKind::Usage, "the pin would end before it begins").at("--until"));
    }
    let held_objects = reader.pin(&lineage, &pin).await?;
    let until = pin.until.map_or_else(|| format!("until `dr-cli unpin {}`", pin.id), |until| format!("until {until}"));
    let mut text = format!("{} is pinned as `{}` {until}.\n", described(&pin.keeps), pin.id);
    if args.legal_hold {
        text.push_str(&format!("{} are under a legal hold of the store.\n", plural(held_objects, "object")));
    }
    Report::new(&PinChanged { lineage: &lineage, pin: &pin, held_objects }, text)
}

pub async fn unpin(context: &Context, args: &UnpinArgs) -> Result<Report> {
    let reader = context.open().await?;
    let lineage = context.lineage(&reader).await?.lineage;
    let Some((pin, held_objects)) = reader.unpin(&lineage, &args.id).await? else {
        let known: Vec<String> = reader.holds(&lineage).await?.pins.into_iter().map(|pin| pin.id).collect();
        return Err(Failure::new(FailureKind::NotFound, format!("there is no pin `{}`", args.id.escape_debug()))
            .at(reader.place(&Pin::prefix(&lineage)))
            .because(if known.is_empty() {
                "nothing is pinned".into()
            } else {
                format!("there are: {}", known.join(", "))
            })
            .then("dr-cli unpin NAME"));
    };
    let text = format!("`{}` is no longer pinned; it expires by the retention policy.\n", pin.id);
    Report::new(&PinChanged { lineage: &lineage, pin: &pin, held_objects }, text)
}

pub async fn freeze(context: &Context, args: &FreezeArgs) -> Result<Report> {
    let reader = context.open().await?;
    let lineage = context.lineage(&reader).await?.lineage;
    let freeze = Freeze::new(&args.reason, who("dr-cli freeze"), now());
    reader.freeze(&lineage, &freeze).await?;
    let text = "Nothing of this lineage expires until `dr-cli unfreeze`. Snapshots and archiving go on.\n".to_owned();
    Report::new(&FreezeChanged { lineage: &lineage, freeze: Some(&freeze) }, text)
}

pub async fn unfreeze(context: &Context) -> Result<Report> {
    let reader = context.open().await?;
    let lineage = context.lineage(&reader).await?.lineage;
    if !reader.unfreeze(&lineage).await? {
        return Err(Failure::new(FailureKind::NotFound, "expiry is not frozen")
            .at(reader.place(lineage.as_str()))
            .because("nobody froze it, or somebody unfroze it already")
            .then("dr-cli expire shows what the policy lets go"));
    }
    Report::new(&FreezeChanged { lineage: &lineage, freeze: None }, "Expiry is on again.\n".to_owned())
}

async fn keeps(reader: &ArchiveReader, lineage: &LineageId, args: &PinArgs) -> Result<Pinned> {
    match (&args.snapshot, args.from, args.through) {
        (Some(text), ..) if text == "latest" => latest(&catalog::inspect(reader, lineage).await?),
        (Some(text), ..) => snapshot_id(text)
            .map(Pinned::Snapshot)
            .map_err(|problem| Failure::new(FailureKind::Usage, problem).at("the command line").then("dr-cli list")),
        (None, Some(from), Some(through)) if from <= through => Ok(Pinned::Moments { from, through }),
        _ => Err(Failure::new(FailureKind::Usage, "--through comes before --from").at("the command line")),
    }
}

fn latest(catalog: &Catalog) -> Result<Pinned> {
    let good = catalog.snapshots.iter().filter(|snapshot| snapshot.defect().is_none());
    let newest = good.max_by_key(|snapshot| (snapshot.end, &snapshot.id));
    newest.map(|snapshot| Pinned::Snapshot(snapshot.id.clone())).ok_or_else(|| {
        Failure::new(FailureKind::NotFound, "there is no snapshot that can be restored")
            .at(format!("lineage {}", catalog.lineage))
            .because("none was published yet, or each one lacks an object")
            .then("dr-cli list")
    })
}

fn default_id(keeps: &Pinned) -> String {
    match keeps {
        Pinned::Snapshot(id) => id.to_string(),
        Pinned::Moments { from, through } => format!("{}_{}", from.to_key(), through.to_key()),
    }
}

fn described(keeps: &Pinned) -> String {
    match keeps {
        Pinned::Snapshot(id) => format!("Snapshot {id}"),
        Pinned::Moments { from, through } => format!("Every moment from {from} through {through}"),
    }
}

fn now() -> String {
    Timestamp::now().round(jiff::Unit::Second).unwrap_or_else(|_| Timestamp::now()).to_string()
}
