//! Damaged archives. Case 41.

use anyhow::{Context, Result, ensure};
use archive::ClusterTime;
use e2e::scenario::{cli, refused, restore_arguments};
use e2e::{ArchiveFolder, Scenario, destination};
use mongodb::bson::doc;
use testkit::ReplicaSet;

/// A sound archive, and the destination that none of its damaged copies may change.
struct Sound {
    archive: ArchiveFolder,
    at: ClusterTime,
    set: ReplicaSet,
}

async fn sound() -> Result<Sound> {
    let mut scenario = Scenario::start().await?;
    for name in ["orders", "customers"] {
        let documents = (0..500).map(|id| doc! { "_id": id, "text": format!("{name} {}", id * 7_919 % 1_000) });
        scenario.insert("shop", name, documents).await?;
    }
    scenario.begin_archiving().await?;
    for round in 0..3 {
        let wrote =
            scenario.insert("shop", "orders", (0..100).map(|id| doc! { "_id": 1_000 + round * 100 + id })).await?;
        scenario.wait_archived(wrote).await?;
    }
    let at = scenario.archived_moment().await?.at;
    scenario.stop_archiving().await?;
    Ok(Sound { archive: scenario.archive, at, set: destination().await? })
}

impl Sound {
    /// Every slice of the window, oldest first.
    fn slices(&self) -> Result<Vec<String>> {
        let slices = self.archive.slices()?;
        ensure!(slices.len() >= 4, "several slices are needed: {slices:?}");
        Ok(slices)
    }

    /// The segment with most bytes.
    fn segments(&self) -> Result<Vec<String>> {
        let mut segments = self.archive.segments()?;
        segments.sort_by_key(|key| std::cmp::Reverse(self.archive.read(key).map_or(0, |body| body.len())));
        ensure!(segments.len() >= 2, "{segments:?}");
        Ok(segments)
    }

    /// Damages a copy and expects that a restore names the object, exits with 5 and writes nothing.
    async fn assert_named(
        &self,
        what: &str,
        object: &str,
        damage: impl FnOnce(&ArchiveFolder) -> Result<()>,
    ) -> Result<()> {
        let copy = self.archive.duplicate()?;
        damage(&copy)?;
        let error = refused(&copy, &self.set, &self.at.to_string(), 5).await.with_context(|| what.to_owned())?;
        let file = object.rsplit('/').next().unwrap_or(object);
        ensure!(error.to_string().contains(file), "{what}: the error does not name {file}: {error}");
        self.assert_verify_finds(what, object, &copy).await
    }

    async fn assert_verify_finds(&self, what: &str, object: &str, copy: &ArchiveFolder) -> Result<()> {
        let verified = cli(copy, &["verify", "--level", "decode"]).await?;
        let found = verified.json()?["findings"].to_string();
        ensure!(
            verified.exit_code == 5 && found.contains(object),
            "{what}: verify does not name {object}: {verified:?}"
        );
        Ok(())
    }

    /// As `assert_named`, for damage that only reading all bytes shows: data may have been written by then, but the
    /// destination never counts as restored.
    async fn assert_noticed(
        &self,
        what: &str,
        objects: &[&str],
        damage: impl FnOnce(&ArchiveFolder) -> Result<()>,
    ) -> Result<()> {
        let copy = self.archive.duplicate()?;
        damage(&copy)?;
        for object in objects {
            self.assert_verify_finds(what, object, &copy).await?;
        }
        let set = destination().await?;
        let (at, uri) = (self.at.to_string(), set.uri());
        let done = cli(&copy, &restore_arguments(&at, &uri)).await?;
        let error = done.json()?["error"].to_string();
        ensure!(done.exit_code == 5 && objects.iter().any(|object| error.contains(object)), "{what}: {done:?}");
        let release = cli(&copy, &["release", "--destination", &uri]).await?;
        ensure!(release.exit_code == 3, "{what}: the destination counts as restored: {release:?}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_slices_are_named_before_anything_is_written() -> Result<()> {
    let sound = sound().await?;
    let slices = sound.slices()?;
    let (first, middle, last) = (&slices[0], &slices[1], &slices[2]);
    for (place, slice) in [("first", first), ("middle", middle), ("last", last)] {
        sound.assert_named(&format!("bit flipped in the {place}"), slice, |copy| copy.flip_bit(slice)).await?;
    }
    sound.assert_named("truncated", middle, |copy| copy.truncate(middle)).await?;
    sound.assert_named("empty", middle, |copy| copy.write(middle, b"")).await?;
    sound.assert_named("swapped", middle, |copy| copy.swap(middle, last)).await?;
    sound.assert_named("content of another", middle, |copy| copy.write(middle, &copy.read(first)?)).await?;
    let invalid = b"\x05\0\0\0\xff\x06\0\0\0\x01a\0";
    sound.assert_named("invalid BSON", middle, |copy| copy.write(middle, invalid)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_slice_makes_moments_after_it_unreachable_and_leaves_those_before() -> Result<()> {
    let sound = sound().await?;
    let slices = sound.slices()?;
    let middle = &slices[slices.len() / 2];
    let copy = sound.archive.duplicate()?;
    copy.remove(middle)?;
    let error = refused(&copy, &sound.set, &sound.at.to_string(), 4).await?;
    let archive::layout::ObjectKey::Slice { id, .. } = middle.parse()? else { anyhow::bail!("{middle}") };
    ensure!(error.to_string().contains(&id.after.to_string()), "the moment before the hole is named: {error}");
    let before = cli(&copy, &["plan", "--to", &id.after.to_string()]).await?;
    ensure!(before.exit_code == 0, "{before:?}");
    let status = cli(&copy, &["status"]).await?;
    ensure!(status.stdout.contains(&id.through.to_string()), "the hole is shown: {status:?}");
    Ok(())
}

/// The same range and term with other content: a fork, whichever of the two is right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_slice_that_says_something_else_is_a_fork() -> Result<()> {
    let sound = sound().await?;
    let slices = sound.slices()?;
    let middle = &slices[slices.len() / 2];
    let digest = middle.rsplit('_').next().context("the digest")?.trim_end_matches(".bson.zst").to_owned();
    let other: String = digest.chars().map(|digit| if digit == '0' { '1' } else { '0' }).collect();
    let copy = sound.archive.duplicate()?;
    copy.write(&middle.replace(&digest, &other), &copy.read(middle)?)?;
    refused(&copy, &sound.set, &sound.at.to_string(), 5).await?;
    let verify = cli(&copy, &["verify", "--level", "list"]).await?;
    ensure!(verify.exit_code == 5, "{verify:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_segments_and_collection_pages_are_named() -> Result<()> {
    let sound = sound().await?;
    let segments = sound.segments()?;
    let (one, two) = (&segments[0], &segments[1]);
    sound.assert_named("missing", one, |copy| copy.remove(one)).await?;
    sound.assert_named("truncated", one, |copy| copy.truncate(one)).await?;
    sound.assert_named("empty", one, |copy| copy.write(one, b"")).await?;
    sound.assert_noticed("bit flipped", &[one], |copy| copy.flip_bit(one)).await?;
    sound.assert_noticed("swapped", &[one, two], |copy| copy.swap(one, two)).await?;
    sound.assert_noticed("content of another", &[two], |copy| copy.write(two, &copy.read(one)?)).await?;
    let page = sound.archive.pages()?.first().context("a page")?.clone();
    sound.assert_named("missing page", &page, |copy| copy.remove(&page)).await?;
    sound.assert_named("bit flipped in a page", &page, |copy| copy.flip_bit(&page)).await?;
    sound.assert_named("truncated page", &page, |copy| copy.truncate(&page)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_manifests_and_markers_are_named() -> Result<()> {
    let sound = sound().await?;
    let manifest = sound.archive.manifests()?.first().context("a manifest")?.clone();
    let text = String::from_utf8(sound.archive.read(&manifest)?)?;
    let page = sound.archive.pages()?.first().context("a page")?.clone();
    let page_name = page.rsplit('/').next().context("a name")?.to_owned();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("invalid JSON", text[..text.len() / 2].into()),
        ("empty", Vec::new()),
        ("not JSON at all", b"\x00\xff".to_vec()),
        ("another type", b"[1, 2, 3]".to_vec()),
        ("a path that leaves the archive", text.replace(&page_name, "../../../../etc/passwd").into_bytes()),
        ("deep nesting", "[".repeat(100_000).into_bytes()),
    ];
    for (what, body) in cases {
        if body == text.as_bytes() {
            // The manifest names pages by number: there is no path to change.
            continue;
        }
        sound.assert_named(what, &manifest, |copy| copy.write(&manifest, &body)).await?;
    }
    // Absurd sizes: every number of the manifest becomes the largest one.
    let value: serde_json::Value = serde_json::from_str(&text)?;
    for name in ["documents", "bytes", "stored_bytes", "storedBytes", "collections", "pages"] {
        let mut absurd = value.clone();
        match absurd.get_mut(name) {
            Some(number) if number.is_u64() => *number = u64::MAX.into(),
            _ => continue,
        }
        let copy = sound.archive.duplicate()?;
        copy.write(&manifest, absurd.to_string().as_bytes())?;
        let done = cli(&copy, &["verify", "--level", "hash"]).await?;
        ensure!(done.exit_code != 0 && done.exit_code < 128, "absurd {name}: {done:?}");
    }
    // Written by a release that does not exist yet.
    for object in [manifest.clone(), "archive.json".to_owned()] {
        let copy = sound.archive.duplicate()?;
        let mut newer: serde_json::Value = serde_json::from_slice(&copy.read(&object)?)?;
        ensure!(newer["format"].is_u64(), "{newer}");
        newer["format"] = 99.into();
        copy.write(&object, newer.to_string().as_bytes())?;
        let error = refused(&copy, &sound.set, &sound.at.to_string(), 5).await?;
        ensure!(error.to_string().contains("99") && error.to_string().contains("new"), "{object}: {error}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_snapshot_serves_when_the_newest_is_damaged() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", (0..100).map(|id| doc! { "_id": id })).await?;
    scenario.begin_archiving().await?;
    let newest = scenario.take_snapshot().await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    let segments = scenario.archive.segments()?;
    let damaged = segments.iter().find(|key| key.contains(&newest)).context("a segment of the newest snapshot")?;
    scenario.archive.truncate(damaged)?;
    let restored = scenario.assert_restores(&moment).await?;
    ensure!(restored.report["snapshot_id"] != newest.as_str(), "{}", restored.report);
    Ok(())
}
