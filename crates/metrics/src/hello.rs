//! What a server says without credentials: enough for arbiters, which have no users.

use bson::Document;
use bson::oid::ObjectId;

use crate::catalogue::{REPLSET_HAS_PRIMARY, REPLSET_SELF_STATE};
use crate::field::text;
use crate::sample::Samples;

/// What kind of server it is, as far as that decides what can be asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerRole {
    /// Primary or secondary.
    DataBearing,
    Arbiter,
    /// A member that is neither: starting, being synchronised, recovering, rolling back, removed.
    OtherMember,
    /// Started for a set that was not initiated.
    Uninitiated,
    Standalone,
}

pub fn role(hello: &Document) -> ServerRole {
    let flag = |name: &str| hello.get_bool(name).unwrap_or(false);
    match text(hello, &["setName"]) {
        None if flag("isreplicaset") => ServerRole::Uninitiated,
        None => ServerRole::Standalone,
        Some(_) if flag("arbiterOnly") => ServerRole::Arbiter,
        Some(_) if flag("isWritablePrimary") || flag("ismaster") || flag("secondary") => ServerRole::DataBearing,
        Some(_) => ServerRole::OtherMember,
    }
}

/// Another one after each start of the process.
pub fn process(hello: &Document) -> Option<ObjectId> {
    hello.get_document("topologyVersion").ok()?.get_object_id("processId").ok()
}

/// Beside an arbiter that accepts nothing but `hello`.
pub fn arbiter_samples(hello: &Document) -> Samples {
    let mut samples = Samples::default();
    if let (ServerRole::Arbiter, Some(set)) = (role(hello), text(hello, &["setName"])) {
        samples.set(&REPLSET_SELF_STATE, &[set], 7.0);
        samples.set_flag(&REPLSET_HAS_PRIMARY, &[set], text(hello, &["primary"]).is_some());
    }
    samples
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn an_arbiter_tells_its_state_and_whether_there_is_a_primary() {
        let hello = doc! { "setName": "rs", "arbiterOnly": true, "primary": "a:1" };
        let samples = arbiter_samples(&hello);
        assert_eq!(samples.number(&REPLSET_SELF_STATE, &["rs"]), Some(7.0));
        assert_eq!(samples.number(&REPLSET_HAS_PRIMARY, &["rs"]), Some(1.0));
        let alone = doc! { "setName": "rs", "arbiterOnly": true };
        assert_eq!(arbiter_samples(&alone).number(&REPLSET_HAS_PRIMARY, &["rs"]), Some(0.0));
    }

    #[test]
    fn every_kind_of_server_is_told_apart() {
        assert_eq!(role(&doc! { "isWritablePrimary": true }), ServerRole::Standalone);
        assert_eq!(role(&doc! { "isreplicaset": true, "secondary": false }), ServerRole::Uninitiated);
        assert_eq!(role(&doc! { "setName": "rs", "secondary": true }), ServerRole::DataBearing);
        assert_eq!(role(&doc! { "setName": "rs", "secondary": false }), ServerRole::OtherMember);
        assert!(arbiter_samples(&doc! { "setName": "rs", "secondary": true }).is_empty());
    }
}
