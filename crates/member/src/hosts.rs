//! Which host has which ordinal: by a template, as in a `StatefulSet`, or by a list.

/// `host:port` by ordinal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hosts {
    Template { before: String, after: String },
    List(Vec<String>),
}

const PLACE: &str = "{ordinal}";

impl Hosts {
    /// `mongodb-{ordinal}.mongodb-headless.shop.svc.cluster.local:27017`.
    pub fn template(text: &str) -> Result<Self, String> {
        let refuse = || format!("must be HOST:PORT with one {PLACE} in it, for example `db-{PLACE}.db:27017`");
        let (before, after) = text.split_once(PLACE).ok_or_else(refuse)?;
        let port = after.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        if after.contains(PLACE) || !matches!(port, Some(Ok(1..))) || text.contains(char::is_whitespace) {
            return Err(refuse());
        }
        Ok(Self::Template { before: before.to_lowercase(), after: after.to_lowercase() })
    }

    /// `HOST:PORT` separated by commas, the first one with ordinal 0.
    pub fn list(text: &str) -> Result<Self, String> {
        let mut hosts: Vec<String> = Vec::new();
        for host in text.split(',').map(|host| host.trim().to_lowercase()) {
            let port = host.rsplit_once(':').filter(|(name, _)| !name.is_empty()).map(|(_, port)| port.parse::<u16>());
            if !matches!(port, Some(Ok(1..))) {
                return Err(format!("`{host}` is not HOST:PORT"));
            }
            if hosts.contains(&host) {
                return Err(format!("`{host}` stands there twice"));
            }
            hosts.push(host);
        }
        Ok(Self::List(hosts))
    }

    pub fn host(&self, ordinal: u32) -> Option<String> {
        match self {
            Self::Template { before, after } => Some(format!("{before}{ordinal}{after}")),
            Self::List(hosts) => hosts.get(usize::try_from(ordinal).ok()?).cloned(),
        }
    }

    /// `None` for a host that is none of ours.
    pub fn ordinal_of(&self, host: &str) -> Option<u32> {
        let host = host.to_lowercase();
        match self {
            Self::Template { before, after } => {
                let digits = host.strip_prefix(before)?.strip_suffix(after.as_str())?;
                // `01` and `+1` would be hosts of another name.
                let ordinal: u32 = digits.parse().ok()?;
                (ordinal.to_string() == digits).then_some(ordinal)
            }
            Self::List(hosts) => u32::try_from(hosts.iter().position(|own| *own == host)?).ok(),
        }
    }
}

/// A number, or the name of a pod that ends in one.
pub fn ordinal(text: &str) -> Result<u32, String> {
    let digits = text.rsplit_once('-').map_or(text, |(_, digits)| digits);
    let parsed = if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None };
    parsed.ok_or_else(|| "must be a number, or the name of a pod that ends in one, for example `mongodb-2`".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_template_or_list_is_refused() {
        for text in ["db:27017", "db-{ordinal}", "db-{ordinal}:0", "{ordinal}-{ordinal}:1", "db {ordinal}:1"] {
            assert!(Hosts::template(text).is_err(), "{text}");
        }
        for text in ["", "a", "a:1,,b:2", "a:1,A:1", ":1"] {
            assert!(Hosts::list(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_ordinal_is_a_number_or_the_end_of_a_pods_name() {
        assert_eq!((ordinal("2"), ordinal("shop-mongodb-12")), (Ok(2), Ok(12)));
        for text in ["", "mongodb", "mongodb-", "mongodb-a", "mongodb-1a", "-"] {
            assert!(ordinal(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_of_another_name_has_no_ordinal() {
        let hosts = Hosts::template("db-{ordinal}.db:27017").unwrap();
        for host in ["db-.db:27017", "db-01.db:27017", "db-+1.db:27017", "db-1.db:27018", "xdb-1.db:27017", "db-1.db"] {
            assert_eq!(hosts.ordinal_of(host), None, "{host}");
        }
        assert_eq!(hosts.ordinal_of("DB-7.db:27017"), Some(7));
    }

    proptest! {
        #[test]
        fn every_ordinal_is_found_again(ordinal in 0_u32..100_000) {
            let hosts = Hosts::template("db-{ordinal}.1.db:27017").unwrap();
            prop_assert_eq!(hosts.ordinal_of(&hosts.host(ordinal).unwrap()), Some(ordinal));
        }
    }
}
