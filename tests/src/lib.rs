//! What the end-to-end tests share: a source, its archive and the real binaries, driven as users drive them.
//!
//! The binaries come from `cargo build -p sidecar -p dr-cli`; the oracle is `testkit::capture`, which shares no code with
//! backup or restore. Everything here ends its processes and removes its files when dropped.

pub mod archive_folder;
pub mod archive_place;
pub mod bench;
pub mod bucket;
pub mod clock_shift;
pub mod demo;
pub mod demo_drill;
pub mod demo_monitoring;
pub mod drills;
pub mod faults;
pub mod forge;
pub mod made;
pub mod mongorestore;
pub mod monitoring;
pub mod programs;
mod reliability;
pub mod restored;
pub mod scenario;
pub mod small_disk;

pub use archive_folder::ArchiveFolder;
pub use bucket::Bucket;
pub use clock_shift::ShiftedClock;
pub use drills::Drills;
pub use made::Made;
pub use restored::Restored;
pub use scenario::{Moment, Scenario, destination, oldest_entry, server};
