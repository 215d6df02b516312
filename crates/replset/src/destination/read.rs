//! Reading back small collections of the destination: what a restore staged there.

use archive::Namespace;
use bson::RawDocumentBuf;

use super::Destination;
use crate::connect::CursorSettings;
use crate::error::Result;
use crate::raw::RawWriter;

impl Destination {
    /// All documents of a collection as the primary has them, in natural order; none when it does not exist.
    pub async fn read_all(&self, namespace: &Namespace) -> Result<Vec<RawDocumentBuf>> {
        let mut command = RawWriter::default();
        command.str("find", &namespace.coll);
        let settings = CursorSettings::default();
        Ok(self.connection.collect(&namespace.db, "read staged documents", command.finish(), settings).await?.documents)
    }
}
