//! The one suite that every store passes: what is asserted here is what upper layers may rely on. A backend's test
//! file names its fixture and gets one test per case:
//!
//! ```ignore
//! async fn fixture() -> (Arc<dyn ObjectStore>, impl Sized) { … } // an empty store, and what keeps it alive
//! store::conformance_suite!(fixture);
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is test code, compiled for tests only")]

mod listing;
mod mutable;
mod objects;
mod refusals;

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;

use crate::port::{Created, ObjectStore, ObjectStoreExt};

pub use listing::*;
pub use mutable::*;
pub use objects::*;
pub use refusals::*;

pub type Store = Arc<dyn ObjectStore>;

/// One `#[tokio::test]` per case of the suite, each with a fresh store from the async function `$fixture`.
///
/// `flat $fixture` leaves out what only a hierarchy can promise: in a bucket an object and the folder of others may
/// have the same name, and looking for that at each upload would cost requests. Nothing in an archive's layout does.
#[macro_export]
macro_rules! conformance_suite {
    ($fixture:path) => {
        $crate::conformance_suite!(flat $fixture);
        $crate::conformance_suite!([] $fixture: a_name_is_an_object_or_a_folder);
    };
    ($(#[$attribute:meta])* flat $fixture:path) => {
        $crate::conformance_suite!([$(#[$attribute])*] $fixture:
            concurrent_creators_have_one_winner
            an_existing_object_is_never_replaced
            an_unfinished_object_is_invisible
            an_object_may_be_empty
            a_large_object_is_streamed
            a_large_object_is_create_only
            ranges_are_clamped_to_the_object
            a_missing_object_is_absent_everywhere
            deleting_is_idempotent
            a_deleted_name_can_be_created_again
            creating_and_deleting_in_one_folder_do_not_disturb_each_other
            whole_reads_respect_their_limit
            keys_are_listed_in_byte_order
            random_keys_are_listed_as_a_sorted_set
            pages_cover_everything_once
            sizes_are_listed
            folders_are_those_that_hold_objects
            mutable_objects_are_replaced
            readers_never_see_a_torn_value
            hostile_keys_are_refused
            immutable_keys_cannot_be_overwritten
        );
    };
    ($attributes:tt $fixture:path: $($case:ident)+) => {
        $($crate::conformance_suite!(@ $attributes $fixture, $case);)+
    };
    (@ [$($attribute:tt)*] $fixture:path, $case:ident) => {
            $($attribute)*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let (store, _guard) = $fixture().await;
                $crate::conformance::$case(store).await;
            }
    };
}

async fn put(store: &Store, key: &str, body: &[u8]) {
    let created = store.put_new(key, Bytes::copy_from_slice(body)).await.unwrap();
    assert_eq!(created, Created::New, "{key} existed");
}

async fn read(store: &Store, key: &str) -> Vec<u8> {
    let chunks: Vec<Bytes> = store.get(key, None).await.unwrap().try_collect().await.unwrap();
    chunks.concat()
}

async fn keys(store: &Store, prefix: &str) -> Vec<String> {
    store.list_all(prefix).await.unwrap().into_iter().map(|object| object.key).collect()
}
