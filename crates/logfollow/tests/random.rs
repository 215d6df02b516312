//! Logs that are rotated, truncated, copied, compressed and deleted at random while the follower is killed at random.
//!
//! `TIDEMARK_SEED=n` repeats one run; without it the seeds are new ones each time. Every line that was written is handed over, except
//! those whose file was destroyed before it was read, of which the follower says so; no line comes more often than
//! kills between two saves explain.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod world;

use world::{World, seeds};

/// Renames, copies that are complete, restarts: nothing may be lost at all.
#[test]
fn nothing_is_lost_where_nothing_is_destroyed() {
    let mut disruptions = 0;
    for seed in seeds(25) {
        let mut world = World::new(seed, false);
        world.run(40);
        disruptions += world.disruptions();
        let end = world.end();
        assert_eq!(end.lost, Vec::<u64>::new(), "seed {seed}: lines were lost\n{}", end.history);
        assert_eq!(end.repeated, Vec::<u64>::new(), "seed {seed}: lines came too often\n{}", end.history);
        assert_eq!(end.counters.lost_bytes, 0, "seed {seed}\n{}", end.history);
    }
    println!("{disruptions} rotations, truncations and kills without destruction");
    assert!(disruptions >= 1000 || std::env::var_os("TIDEMARK_SEED").is_some());
}

/// With truncation, deletion and compression of what was not read yet, folders that go, lines between copy and truncation. What is
/// written and destroyed between two looks leaves no trace, so it is runs of many disruptions in which something is told.
#[test]
fn what_is_destroyed_unread_is_told() {
    let (mut disruptions, mut runs_with_losses) = (0, 0);
    for seed in seeds(25) {
        let mut world = World::new(seed, true);
        world.run(40);
        disruptions += world.disruptions();
        let end = world.end();
        let unexplained: Vec<u64> = end.lost.iter().copied().filter(|line| !end.destroyed.contains(line)).collect();
        assert_eq!(unexplained, Vec::<u64>::new(), "seed {seed}: nothing destroyed these lines\n{}", end.history);
        assert_eq!(end.repeated, Vec::<u64>::new(), "seed {seed}: lines came too often\n{}", end.history);
        if !end.lost.is_empty() {
            runs_with_losses += 1;
            let told = end.counters.lost_bytes + end.counters.uncertain;
            assert!(told > 0, "seed {seed}: {} lines were lost in silence\n{}", end.lost.len(), end.history);
        }
    }
    println!("{disruptions} rotations, truncations and kills; lines were lost in {runs_with_losses} runs");
    assert!(disruptions >= 1000 || std::env::var_os("TIDEMARK_SEED").is_some());
}
