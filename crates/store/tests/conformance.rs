//! Every store, and every decorator around one, passes the same suite.

#![allow(clippy::unwrap_used)]

use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use store::conformance::Store;
use store::delay::DelayStore;
use store::fault::FaultStore;
use store::{FileStore, MemoryStore};
use tempfile::TempDir;

mod memory {
    use super::*;

    fn fixture() -> Ready<(Store, ())> {
        ready((Arc::new(MemoryStore::new()), ()))
    }

    store::conformance_suite!(fixture);
}

mod file_system {
    use super::*;

    fn fixture() -> Ready<(Store, TempDir)> {
        let folder = tempfile::tempdir().unwrap();
        ready((Arc::new(FileStore::open_or_create(&folder.path().join("new/archive")).unwrap()), folder))
    }

    store::conformance_suite!(fixture);
}

mod file_system_opened_as_it_is {
    use super::*;

    fn fixture() -> Ready<(Store, TempDir)> {
        let folder = tempfile::tempdir().unwrap();
        ready((Arc::new(FileStore::open(folder.path()).unwrap()), folder))
    }

    store::conformance_suite!(fixture);
}

mod without_faults {
    use super::*;

    fn fixture() -> Ready<(Store, ())> {
        ready((Arc::new(FaultStore::new(Arc::new(MemoryStore::new()))), ()))
    }

    store::conformance_suite!(fixture);
}

mod delayed {
    use super::*;

    fn fixture() -> Ready<(Store, ())> {
        ready((Arc::new(DelayStore::new(Arc::new(MemoryStore::new()), Duration::from_micros(50))), ()))
    }

    store::conformance_suite!(fixture);
}
