//! Recipients and identities as operators write them: one key to a line, `#` starts a comment line.

use std::fmt;

use age::x25519;

use crate::Digest;

/// More would make the header of each object larger than a reader accepts.
pub const MAX_RECIPIENTS: usize = 64;

const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Never holds the text of a key: a secret key may stand where a public one belongs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct KeyTextError {
    /// From 1; 0 for the text as a whole.
    pub line: usize,
    pub problem: &'static str,
}

/// Whom objects are encrypted to. Never empty; sorted, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipients {
    keys: Vec<x25519::Recipient>,
    texts: Vec<String>,
}

impl Recipients {
    /// `age1…` keys, separated by line ends or commas, as an environment variable has them.
    pub fn parse(text: &str) -> Result<Self, KeyTextError> {
        let mut keys = Vec::new();
        for (line, text) in lines(text)? {
            for text in text.split(',').map(str::trim).filter(|text| !text.is_empty()) {
                keys.push(recipient(text).map_err(|problem| KeyTextError { line, problem })?);
            }
        }
        let mut keys: Vec<_> = keys.into_iter().map(|key: x25519::Recipient| (key.to_string(), key)).collect();
        keys.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        keys.dedup_by(|a, b| a.0 == b.0);
        if keys.is_empty() {
            return Err(KeyTextError { line: 0, problem: "there is no recipient in it" });
        }
        if keys.len() > MAX_RECIPIENTS {
            return Err(KeyTextError { line: 0, problem: "more recipients than an object can be encrypted to" });
        }
        let (texts, keys) = keys.into_iter().unzip();
        Ok(Self { keys, texts })
    }

    /// The public keys as text, sorted: what a manifest records.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Of the sorted keys, each with a line end.
    pub fn digest(&self) -> Digest {
        Digest::of(self.texts.iter().fold(String::new(), |all, one| all + one + "\n").as_bytes())
    }

    pub(super) fn keys(&self) -> &[x25519::Recipient] {
        &self.keys
    }
}

/// The secret keys that an operator gave. Its `Debug` shows the public halves.
#[derive(Clone)]
pub struct Identities(Vec<x25519::Identity>);

impl Identities {
    pub fn parse(text: &str) -> Result<Self, KeyTextError> {
        let mut keys = Vec::new();
        for (line, text) in lines(text)? {
            keys.push(identity(text).map_err(|problem| KeyTextError { line, problem })?);
        }
        if keys.is_empty() {
            return Err(KeyTextError { line: 0, problem: "there is no identity in it" });
        }
        Ok(Self(keys))
    }

    /// A new key pair and its secret key, for tests and for whoever makes an identity file.
    pub fn generate() -> (Self, String) {
        use age::secrecy::ExposeSecret;
        let key = x25519::Identity::generate();
        let text = key.to_string().expose_secret().to_owned();
        (Self(vec![key]), text)
    }

    /// The recipients that these identities can decrypt for.
    pub fn public_keys(&self) -> Vec<String> {
        self.0.iter().map(|key| key.to_public().to_string()).collect()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.0.iter().map(|key| key as &dyn age::Identity)
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identities").field(&self.public_keys()).finish()
    }
}

fn lines(text: &str) -> Result<impl Iterator<Item = (usize, &str)>, KeyTextError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(KeyTextError { line: 0, problem: "much longer than any list of keys" });
    }
    let lines = (1..).zip(text.lines().map(str::trim));
    Ok(lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')))
}

fn recipient(text: &str) -> Result<x25519::Recipient, &'static str> {
    if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
        return Err(
            "a secret key where a public key belongs; it must not be on this machine. The public key starts with age1",
        );
    }
    if text.starts_with("ssh-") {
        return Err("SSH keys are not supported; make an age key with age-keygen");
    }
    let key: x25519::Recipient = text.parse().map_err(|_| match text.strip_prefix("age1") {
        Some(rest) if rest.contains('1') => "keys of age plugins are not supported; make a key with age-keygen",
        Some(_) => "not an age public key; it is mistyped or cut off",
        None => "not an age public key, which starts with age1",
    })?;
    match public_bytes(&key.to_string()) {
        Some(bytes) if !is_of_low_order(bytes) => Ok(key),
        _ => Err("a key that encrypts to everybody; it was not made by age-keygen"),
    }
}

fn identity(text: &str) -> Result<x25519::Identity, &'static str> {
    text.parse().map_err(|_| {
        if text.starts_with("age1") {
            "a public key where a secret key belongs, which starts with AGE-SECRET-KEY-1"
        } else if text.starts_with("AGE-PLUGIN-") {
            "identities of age plugins are not supported"
        } else if text.starts_with("age-encryption.org/") || text.starts_with("-----BEGIN") {
            "an encrypted identity file or one of another kind; decrypt it first with age -d"
        } else {
            "not an age secret key, which starts with AGE-SECRET-KEY-1; it is mistyped or cut off"
        }
    })
}

/// The 32 bytes of a key whose text was already checked: the Bech32 data between the prefix and the six check characters.
fn public_bytes(text: &str) -> Option<[u8; 32]> {
    const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let data = text.strip_prefix("age1")?;
    let data = data.get(..data.len().checked_sub(6)?)?;
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(32), 0_u32, 0_u32);
    for digit in data.bytes() {
        let value = ALPHABET.iter().position(|&one| one == digit)?;
        bits = (bits << 5) | u32::try_from(value).ok()?;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xFF).ok()?);
            bits &= (1 << held) - 1;
        }
    }
    bytes.try_into().ok()
}

/// Points with which every key exchange gives zero (RFC 7748, section 6.1). `age` refuses to encrypt to them by a panic.
fn is_of_low_order(mut point: [u8; 32]) -> bool {
    const EIGHTH: [&str; 2] = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];
    point[31] &= 0x7F;
    let text = hex::encode(point);
    let is_small = point[0] <= 1 && point[1..].iter().all(|&byte| byte == 0);
    let is_near_prime =
        (0xEC..=0xEE).contains(&point[0]) && point[31] == 0x7F && point[1..31].iter().all(|&b| b == 0xFF);
    is_small || is_near_prime || EIGHTH.contains(&text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes any 32 bytes as a public key, so that bad ones can be tried.
    fn bech32(bytes: [u8; 32]) -> String {
        const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
        let mut digits = Vec::new();
        let (mut bits, mut held) = (0_u32, 0);
        for byte in bytes {
            bits = (bits << 8) | u32::from(byte);
            held += 8;
            while held >= 5 {
                held -= 5;
                digits.push((bits >> held & 31) as u8);
                bits &= (1 << held) - 1;
            }
        }
        digits.push((bits << (5 - held) & 31) as u8);
        let prefix = b"age".iter().map(|b| b >> 5).chain([0]).chain(b"age".iter().map(|b| b & 31));
        let mut check = 1_u32;
        for value in prefix.chain(digits.iter().copied()).chain([0; 6]) {
            let top = check >> 25;
            check = (check & 0x01FF_FFFF) << 5 ^ u32::from(value);
            for (bit, generator) in [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3].iter().enumerate()
            {
                check ^= if top >> bit & 1 == 1 { *generator } else { 0 };
            }
        }
        check ^= 1;
        digits.extend((0..6).map(|n| (check >> (5 * (5 - n)) & 31) as u8));
        let text = digits.into_iter().map(|digit| char::from(ALPHABET[usize::from(digit)]));
        format!("age1{}", text.collect::<String>())
    }

    #[test]
    fn a_list_of_keys_may_have_comments_blank_lines_and_repetitions() {
        let ((a, secret_a), (b, secret_b)) = (Identities::generate(), Identities::generate());
        let (a, b) = (a.public_keys().remove(0), b.public_keys().remove(0));
        let text = format!("# escrow\n{a}\n\n  {b}\t\r\n{a},{b}\n");
        let recipients = Recipients::parse(&text).unwrap();
        assert_eq!(recipients.texts().len(), 2);
        assert_eq!(recipients, Recipients::parse(&format!("{b},{a}")).unwrap(), "the order does not matter");
        assert_eq!(recipients.digest(), Recipients::parse(&format!("{b}\n{a}")).unwrap().digest());
        assert_ne!(recipients.digest(), Recipients::parse(&a).unwrap().digest());
        let identities = Identities::parse(&format!("# public key: {a}\n{secret_a}\n{secret_b}\n")).unwrap();
        assert_eq!(identities.public_keys(), [a, b]);
    }

    #[test]
    fn what_is_no_key_is_refused_by_line_and_never_repeated() {
        let (identities, secret) = Identities::generate();
        let public = identities.public_keys().remove(0);
        let cut = &public[..public.len() - 1];
        for bad in [
            secret.as_str(),
            cut,
            "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t",
            "ssh-ed25519 AAAA",
            "x",
        ] {
            let error = Recipients::parse(&format!("# one\n{public}\n{bad}\n")).unwrap_err();
            assert_eq!(error.line, 3, "{error}");
            assert!(!error.to_string().contains(bad) || bad.len() < 2, "{error}");
        }
        for bad in [public.as_str(), &secret[..40], "AGE-PLUGIN-YUBIKEY-1", "age-encryption.org/v1", "x"] {
            let error = Identities::parse(bad).unwrap_err();
            assert!(!error.to_string().contains(bad) || bad.len() < 2, "{error}");
        }
        assert_eq!(Recipients::parse("# none\n").unwrap_err().line, 0);
        assert!(Identities::parse("\n").is_err());
        assert!(Recipients::parse(&"#\n".repeat(100_000)).is_err());
        assert!(!format!("{identities:?}").contains("SECRET"));
    }

    #[test]
    fn a_key_that_everybody_can_decrypt_for_is_refused() {
        let mut point = [0; 32];
        let near = |first: u8| {
            let mut point = [0xFF; 32];
            point[0] = first;
            point
        };
        let mut points = vec![point, near(0xEC), near(0xED), near(0xEE)];
        point[0] = 1;
        points.push(point);
        for text in [
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        ] {
            hex::decode_to_slice(text, &mut point).unwrap();
            points.push(point);
        }
        for point in points {
            let error = Recipients::parse(&bech32(point)).unwrap_err();
            assert!(error.problem.contains("everybody"), "{error}");
        }
        let good = Identities::generate().0.public_keys().remove(0);
        assert_eq!(bech32(public_bytes(&good).unwrap()), good);
    }
}
