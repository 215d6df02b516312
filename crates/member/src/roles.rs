//! A role of a user, in the two ways in which servers and people write one.

use serde::Deserialize;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(from = "Written")]
pub struct Role {
    pub role: String,
    pub db: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    /// Of the database that users live in.
    Name(String),
    Of(Of),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    role: String,
    db: String,
}

impl From<Written> for Role {
    fn from(written: Written) -> Self {
        match written {
            Written::Name(role) => Self { role, db: "admin".to_owned() },
            Written::Of(Of { role, db }) => Self { role, db },
        }
    }
}
