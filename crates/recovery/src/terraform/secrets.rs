//! What Terraform prints goes to people and into reports; what it was given as a secret does not.
//!
//! Terraform masks what a root declares sensitive. That leaves what passes through it by chance: credentials of the environment in an error,
//! a variable that was not declared sensitive, a connection string in the output of a provisioner.

const NAMES: [&str; 9] =
    ["password", "passwd", "secret", "token", "private_key", "access_key", "account_key", "api_key", "credential"];
/// Of paths, which are no secrets, and of the public half of a pair.
const HARMLESS: [&str; 4] = ["_file", "_path", "_dir", "_id"];
/// Shorter ones stand everywhere.
const SHORTEST: usize = 6;
const HIDDEN: &str = "***";

/// Whether a variable of this name holds a secret.
pub fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_secret = NAMES.iter().any(|part| name.contains(part)) || name.split('_').any(|word| word == "sas");
    is_secret && !HARMLESS.iter().any(|end| name.ends_with(end))
}

#[derive(Debug, Clone, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// The values of variables with a telling name.
    pub fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let secret = variables.into_iter().filter(|(name, _)| looks_secret(name));
        let lines = secret.flat_map(|(_, value)| value.lines()).map(|line| line.trim().trim_matches('"'));
        let mut values: Vec<String> = lines.filter(|line| line.len() >= SHORTEST).map(str::to_owned).collect();
        // What holds another one is hidden as a whole.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self(values)
    }

    pub fn hide(&self, text: &str) -> String {
        let known = self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN));
        hide_passwords(&known)
    }
}

/// In URLs: the password before the host.
fn hide_passwords(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>')).unwrap_or(after.len());
        let (url, behind) = after.split_at(end);
        match url.rsplit_once('@') {
            Some((user, host)) => match user.split_once(':') {
                Some((name, _)) => shown.push_str(&format!("{name}:{HIDDEN}@{host}")),
                None => shown.push_str(url),
            },
            None => shown.push_str(url),
        }
        rest = behind;
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_secrets_from_what_may_be_shown() {
        for secret in ["db_password", "AWS_SECRET_ACCESS_KEY", "ARM_CLIENT_SECRET", "AWS_SESSION_TOKEN", "TF_VAR_sas"] {
            assert!(looks_secret(secret), "{secret}");
        }
        for open in ["region", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "suffix", "archive_url", "disaster"]
        {
            assert!(!looks_secret(open), "{open}");
        }
    }

    #[test]
    fn values_of_secrets_and_passwords_in_urls_are_hidden_wherever_they_stand() {
        let secrets = Secrets::of([
            ("db_password", "hunter22"),
            ("region", "eu-central-1"),
            ("token", "\"hunter22-and-more\""),
            ("private_key", "first line\nsecond line\nx"),
            ("secret", "no"),
        ]);
        assert_eq!(
            secrets.hide("hunter22-and-more, hunter22, eu-central-1, second line, no x"),
            "***, ***, eu-central-1, ***, no x"
        );
        assert_eq!(
            secrets.hide("to mongodb://u:p@ss@h:1/?x=1 and 'https://a:b@c' and mongodb://h/ or a://b@c"),
            "to mongodb://u:***@h:1/?x=1 and 'https://a:***@c' and mongodb://h/ or a://b@c"
        );
    }
}
