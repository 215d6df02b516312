//! What may be printed of a URI that can hold a password.

/// A connection string or URL with passwords and secret query values replaced by `***`.
///
/// Works on text that is not a valid URL as well, because broken ones are what gets printed in errors.
pub fn redact_uri(uri: &str) -> String {
    let (scheme, rest) = uri.split_once("://").map_or(("", uri), |(scheme, rest)| (&uri[..scheme.len() + 3], rest));
    let (before_query, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    // A password may hold an unescaped `@` or `/` by mistake: everything up to the last `@` is user information.
    let hosts = match before_query.rsplit_once('@') {
        Some((user_info, hosts)) => {
            let user = user_info.split(':').next().unwrap_or_default();
            format!("{user}:***@{hosts}")
        }
        None => before_query.to_owned(),
    };
    let query = query.map_or_else(String::new, |query| {
        let pairs: Vec<String> = query.split('&').map(redact_pair).collect();
        format!("?{}", pairs.join("&"))
    });
    format!("{scheme}{hosts}{query}")
}

fn redact_pair(pair: &str) -> String {
    const SECRETS: [&str; 8] =
        ["sig", "password", "secret", "token", "key", "credential", "authmechanismproperties", "passphrase"];
    let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
    if SECRETS.iter().any(|secret| name.contains(secret)) {
        format!("{}=***", pair.split('=').next().unwrap_or_default())
    } else {
        pair.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_signatures_are_replaced() {
        for (uri, shown) in [
            ("mongodb://u:pw@h:1,h:2/?replicaSet=r", "mongodb://u:***@h:1,h:2/?replicaSet=r"),
            ("mongodb://u:p@w/x@h:1/", "mongodb://u:***@h:1/"),
            ("mongodb://h:1/", "mongodb://h:1/"),
            ("mongodb://h/?tlsCertificateKeyFilePassword=x&w=1", "mongodb://h/?tlsCertificateKeyFilePassword=***&w=1"),
            ("azblob://a/c?sv=1&sig=abc", "azblob://a/c?sv=1&sig=***"),
            ("not a url:secret@x", "not a url:***@x"),
        ] {
            assert_eq!(redact_uri(uri), shown);
        }
    }
}
