//! A server takes the hostile documents and names as they are.

use testkit::{ReplicaSet, weird};

#[tokio::test]
async fn the_server_stores_every_weird_document_and_name() {
    let set = ReplicaSet::single().await.unwrap();
    weird::load(&set.client()).await.unwrap();
    weird::load_names(&set.client()).await.unwrap();
    for (database, name) in weird::names() {
        let listed = set.client().database(&database).list_collection_names().await.unwrap();
        assert!(listed.contains(&name), "{database}.{name}");
    }
}
