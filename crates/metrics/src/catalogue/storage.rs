//! Disk and databases.

use super::{Metric, group};

const WHEN: &str =
    "beside a member that holds data, after the first slow look; the largest by storage, the others as __other__";

group! {
    STORAGE, "Storage",
    "The volume is read without the server, so it is known while the server is down. Databases are read in a slow loop with a budget.";
    DATA_VOLUME_FREE_BYTES = Metric::gauge("tidemark_data_volume_free_bytes", "Bytes of the volume that the server may still fill.")
        .by(&["volume"])
        .when("with --data-path, whatever the server does; volume is data")
        .from("statvfs of the data path: available blocks")
        .why("a full disk stops the server");
    DATA_VOLUME_SIZE_BYTES = Metric::gauge("tidemark_data_volume_size_bytes", "Bytes of the volume.")
        .by(&["volume"])
        .when("as tidemark_data_volume_free_bytes")
        .from("statvfs of the data path: blocks")
        .why("the whole of the free bytes");
    DATABASES = Metric::gauge("tidemark_databases", "Databases of the server.")
        .when("beside a member that holds data, after the first slow look").from("listDatabases").why("growth");
    DB_DATA_BYTES = Metric::gauge("tidemark_db_data_bytes", "Plain bytes of the documents of a database.")
        .by(&["db"]).when(WHEN).from("dbStats.dataSize").why("growth");
    DB_STORAGE_BYTES = Metric::gauge("tidemark_db_storage_bytes", "Bytes of the collections of a database on disk.")
        .by(&["db"]).when(WHEN).from("dbStats.storageSize").why("what takes the disk");
    DB_INDEX_BYTES = Metric::gauge("tidemark_db_index_bytes", "Bytes of the indexes of a database on disk.")
        .by(&["db"]).when(WHEN).from("dbStats.indexSize").why("what should fit into memory");
    DB_COLLECTIONS = Metric::gauge("tidemark_db_collections", "Collections of a database.")
        .by(&["db"]).when(WHEN).from("dbStats.collections").why("thousands of them slow starts and snapshots");
    DB_OBJECTS = Metric::gauge("tidemark_db_objects", "Documents of a database, by the metadata of its collections.")
        .by(&["db"]).when(WHEN).from("dbStats.objects").why("growth");
}
