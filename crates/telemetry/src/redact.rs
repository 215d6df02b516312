//! What may be printed of a connection string or URL that can hold a password.
//!
//! Of a `mongodb` connection string only options that are known to be harmless are shown; of other URLs, whose options
//! are ours, all but those whose name speaks of a secret. Works on text that is not a valid URL as well, because broken
//! ones are what gets printed in errors.

/// Options of a connection string that may be shown, in lower case; the values of all others may hold a secret.
const HARMLESS: [&str; 44] = [
    "appname",
    "authmechanism",
    "authsource",
    "compressors",
    "connecttimeoutms",
    "directconnection",
    "heartbeatfrequencyms",
    "journal",
    "loadbalanced",
    "localthresholdms",
    "maxconnecting",
    "maxidletimems",
    "maxpoolsize",
    "maxstalenessseconds",
    "minpoolsize",
    "readconcernlevel",
    "readpreference",
    "readpreferencetags",
    "replicaset",
    "retryreads",
    "retrywrites",
    "servermonitoringmode",
    "serverselectiontimeoutms",
    "serverselectiontryonce",
    "sockettimeoutms",
    "srvmaxhosts",
    "srvservicename",
    "ssl",
    "timeoutms",
    "tls",
    "tlsallowinvalidcertificates",
    "tlsallowinvalidhostnames",
    "tlscafile",
    "tlscertificatekeyfile",
    "tlsdisablecertificaterevocationcheck",
    "tlsdisableocspendpointcheck",
    "tlsinsecure",
    "uuidrepresentation",
    "w",
    "waitqueuemultiple",
    "waitqueuetimeoutms",
    "wtimeout",
    "wtimeoutms",
    "zlibcompressionlevel",
];
const SECRET: [&str; 8] =
    ["sig", "password", "secret", "token", "key", "credential", "authmechanismproperties", "passphrase"];

/// The text with its password and secret options replaced by `***`.
pub fn redact_uri(uri: &str) -> String {
    let (scheme, rest) = split_scheme(uri);
    let shown = match split_password(rest) {
        Some((user, _, hosts)) => format!("{user}:***@{hosts}"),
        None => rest.to_owned(),
    };
    let Some((path, query)) = shown.split_once('?') else { return format!("{scheme}{shown}") };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_secret(scheme, name) => format!("{name}=***"),
        _ => pair.to_owned(),
    });
    format!("{scheme}{path}?{}", pairs.collect::<Vec<_>>().join("&"))
}

/// What [`redact_uri`] replaces: the password and the values of secret options, as they stand in the text.
pub fn secrets_of(uri: &str) -> Vec<&str> {
    let (scheme, rest) = split_scheme(uri);
    let password = split_password(rest).map(|(_, password, _)| password);
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    let options = query.split('&').filter_map(|pair| pair.split_once('='));
    let options = options.filter(|(name, _)| is_secret(scheme, name)).map(|(_, value)| value);
    password.into_iter().chain(options).filter(|secret| !secret.is_empty()).collect()
}

fn split_scheme(uri: &str) -> (&str, &str) {
    uri.split_once("://").map_or(("", uri), |(scheme, _)| uri.split_at(scheme.len() + 3))
}

/// User, password and the rest. A password may hold an unescaped `@`, `/` or `?` by mistake: everything up to the last `@`
/// is user information.
fn split_password(rest: &str) -> Option<(&str, &str, &str)> {
    let (user_info, hosts) = rest.rsplit_once('@')?;
    let (user, password) = user_info.split_once(':')?;
    Some((user, password, hosts))
}

fn is_secret(scheme: &str, option: &str) -> bool {
    let option = option.to_ascii_lowercase();
    if scheme.is_empty() || scheme.starts_with("mongodb") {
        !HARMLESS.contains(&option.as_str())
    } else {
        SECRET.iter().any(|secret| option.contains(secret))
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
            ("mongodb://u:p?x=y@h:1/?w=1", "mongodb://u:***@h:1/?w=1"),
            ("mongodb://h:1/", "mongodb://h:1/"),
            ("mongodb://h/?tlsCertificateKeyFilePassword=x&w=1", "mongodb://h/?tlsCertificateKeyFilePassword=***&w=1"),
            ("mongodb://u:s3cret@h:1/?x=1&w=1", "mongodb://u:***@h:1/?x=***&w=1"),
            ("mongodb://h/?tlsCertificateKeyFilePassword=s3cret", "mongodb://h/?tlsCertificateKeyFilePassword=***"),
            ("mongodb+srv://u:p@ss:w@h/db", "mongodb+srv://u:***@h/db"),
            ("mongodb://u@h:1", "mongodb://u@h:1"),
            ("mongodb://h:1,h:2/?replicaSet=rs", "mongodb://h:1,h:2/?replicaSet=rs"),
            ("azblob://a/c?sv=1&sig=abc", "azblob://a/c?sv=1&sig=***"),
            ("azblob://a/c?sig=ab@c&sv=1", "azblob://a/c?sig=***&sv=1"),
            ("s3://b/p?region=eu&endpoint=http://h:1", "s3://b/p?region=eu&endpoint=http://h:1"),
            ("s3://b/p?secret=abc&endpoint=http://u:pw@h", "s3://b/p?secret=***&endpoint=http:***@h"),
            ("u:s3cret@h", "u:***@h"),
            ("not a url:secret@x", "not a url:***@x"),
            ("not a uri", "not a uri"),
        ] {
            assert_eq!(redact_uri(uri), shown);
        }
    }

    #[test]
    fn what_is_replaced_can_be_looked_for_elsewhere() {
        assert_eq!(secrets_of("mongodb://u:p@w@h/?w=1&x=s3cret&tls=true"), ["p@w", "s3cret"]);
        assert_eq!(secrets_of("azblob://a/c?sv=1&sig=abc"), ["abc"]);
        assert_eq!(secrets_of("mongodb://u@h/?replicaSet=rs&x="), [""; 0]);
    }
}
