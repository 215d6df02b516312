//! The slices and gap records of a lineage.

use std::collections::HashMap;

use archive::catalog::{Catalog, StoredSlice};
use archive::coverage::{Coverage, CoverageProblem, CoveredRange};
use archive::gap::Gap;
use archive::layout::ObjectKey;
use archive::{ClusterTime, LineageId};
use futures::{StreamExt, stream};
use store::ObjectStoreExt;

use super::content::{SliceProof, prove_slice, task_failed};
use super::links::{SliceLinks, contradictions};
use super::records::RECORD_LIMIT;
use super::{Context, VerifyLevel};
use crate::failure::Result;
use crate::progress::Unit;

/// Verifies the slices; the catalog holds what can be used, and no snapshot yet.
pub(super) async fn verify(context: &mut Context<'_>, lineage: &LineageId) -> Result<Catalog> {
    let mut catalog = Catalog::new(lineage.clone());
    list_slices(context, &mut catalog).await?;
    list_gaps(context, &mut catalog).await?;
    report_coverage(context, &catalog);
    if context.options.level > VerifyLevel::List {
        prove_slices(context, &catalog).await?;
    }
    Ok(catalog)
}

async fn list_slices(context: &mut Context<'_>, catalog: &mut Catalog) -> Result<()> {
    let is_listing = context.options.level == VerifyLevel::List;
    for object in context.reader.store().list_all(&ObjectKey::slices_prefix(&catalog.lineage)).await? {
        match object.key.parse::<ObjectKey>() {
            Ok(ObjectKey::Slice { .. }) if object.size == 0 => context.findings.add(object.key, "it is empty"),
            Ok(ObjectKey::Slice { id, encrypted, .. }) => {
                if is_listing {
                    context.findings.checked(object.size);
                }
                catalog.slices.push(StoredSlice { id, stored_bytes: object.size, encrypted });
            }
            Ok(_) => context.findings.note(object.key, "it does not belong among the slices"),
            Err(error) if object.key.contains(".bson.zst") => context.findings.add(object.key, error.problem),
            Err(_) => context.findings.note(object.key, "a foreign object"),
        }
    }
    Ok(())
}

async fn list_gaps(context: &mut Context<'_>, catalog: &mut Catalog) -> Result<()> {
    for object in context.reader.store().list_all(&ObjectKey::gaps_prefix(&catalog.lineage)).await? {
        let Ok(key @ ObjectKey::Gap { .. }) = object.key.parse::<ObjectKey>() else {
            context.findings.note(object.key, "a foreign object");
            continue;
        };
        let Some(bytes) = context.reader.store().get_bytes(&object.key, RECORD_LIMIT).await? else { continue };
        context.findings.checked(bytes.len() as u64);
        match Gap::from_json(&bytes) {
            Ok(gap) if gap.key(&catalog.lineage) == key => catalog.gaps.push(gap),
            Ok(gap) => {
                let range = CoveredRange::new(gap.after, gap.through);
                context.findings.add(object.key, format!("it records another gap, {range}"));
            }
            Err(error) => context.findings.add(object.key, error.to_string()),
        }
    }
    Ok(())
}

/// A recorded gap is a fact about the past and not a defect of what is stored; a hole that nothing explains is one.
fn report_coverage(context: &mut Context<'_>, catalog: &Catalog) {
    let prefix = ObjectKey::slices_prefix(&catalog.lineage);
    for problem in Coverage::of_catalog(catalog).problems {
        match &problem {
            CoverageProblem::Gap(gap) => {
                context.findings.note(gap.key(&catalog.lineage).to_string(), problem.to_string());
            }
            CoverageProblem::TermFell { .. } => context.findings.note(prefix.clone(), problem.to_string()),
            CoverageProblem::Fork { one, .. } | CoverageProblem::NotARange(one) => {
                context.findings.add(one.key(&catalog.lineage, false).to_string(), problem.to_string());
            }
            CoverageProblem::Hole(_) | CoverageProblem::OtherThanNamed { .. } => {
                context.findings.add(prefix.clone(), problem.to_string());
            }
        }
    }
}

async fn prove_slices(context: &mut Context<'_>, catalog: &Catalog) -> Result<()> {
    let lineage = &catalog.lineage;
    let mut starts: Vec<ClusterTime> = catalog.slices.iter().map(|slice| slice.id.after).collect();
    starts.sort_unstable();
    starts.dedup();
    let mut chosen = Vec::new();
    for slice in &catalog.slices {
        let key = slice.id.key(lineage, slice.encrypted).to_string();
        if context.options.sample.holds(&key) {
            chosen.push(*slice);
        } else {
            context.findings.left_out(slice.stored_bytes);
        }
    }
    context.progress.phase("slices", Some(chosen.iter().map(|slice| slice.stored_bytes).sum()), Unit::Bytes);
    let breaks = catalog.gaps.iter().filter(|gap| gap.reason.breaks_stored_history());
    let proof = SliceProof {
        lineage: lineage.clone(),
        decode: context.options.level == VerifyLevel::Decode,
        breaks: breaks.map(|gap| CoveredRange::new(gap.after, gap.through)).collect(),
    };
    let tasks = chosen.into_iter().map(|slice| {
        let inner = inside(&starts, slice);
        let work = prove_slice(context.reader.clone(), proof.clone(), slice, inner);
        async move { (slice, tokio::spawn(work).await) }
    });
    let mut proven = stream::iter(tasks).buffered(context.options.concurrency);
    let mut links: Vec<SliceLinks> = Vec::new();
    while let Some((slice, outcome)) = proven.next().await {
        context.progress.advance(slice.stored_bytes);
        let outcome = outcome.map_err(|error| task_failed(&error))?;
        let key = slice.id.key(lineage, slice.encrypted);
        links.extend(context.account(&key, slice.stored_bytes, outcome)?.map(|(_, links)| links));
    }
    let mut named: HashMap<_, u32> = HashMap::new();
    for (slice, at, other) in contradictions(&links) {
        // One finding for a pair is enough.
        let times = named.entry((slice, other)).or_default();
        *times += 1;
        if *times == 1 {
            context.findings.add(
                slice.key(lineage, false).to_string(),
                format!("another entry stands at {at} in `{}`: they tell two histories", other.key(lineage, false)),
            );
        }
    }
    Ok(())
}

/// The moments within a slice, its end excluded, at which other slices start.
fn inside(starts: &[ClusterTime], slice: StoredSlice) -> Vec<ClusterTime> {
    let from = starts.partition_point(|at| *at <= slice.id.after);
    let to = starts.partition_point(|at| *at < slice.id.through);
    starts.get(from..to).unwrap_or_default().to_vec()
}
