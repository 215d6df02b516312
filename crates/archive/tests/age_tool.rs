//! Encrypted objects must be readable with nothing but Debian's `age` and `zstd`, and what `age` encrypts must be readable
//! here. `AGE` names the tool; otherwise a script fetches it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use archive::encryption::{Decryptor, Encryptor, Identities, Recipients};
use archive::framed::DEFAULT_BLOCK_BYTES;
use archive::segment::{self, Order, SegmentDecoder, SegmentEvent, SegmentHeader};
use archive::{CollectionUuid, Namespace};
use bson::rawdoc;

fn age() -> PathBuf {
    if let Some(age) = std::env::var_os("AGE") {
        return age.into();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/fetch-age.sh");
    let output = Command::new(&script).stderr(Stdio::inherit()).output().expect("run scripts/fetch-age.sh");
    assert!(output.status.success(), "scripts/fetch-age.sh found no age; set AGE to one");
    let printed = String::from_utf8(output.stdout).unwrap();
    Path::new(printed.lines().last().expect("a folder")).join("age")
}

fn zstd() -> PathBuf {
    std::env::var_os("ZSTD").map_or_else(|| "zstd".into(), PathBuf::from)
}

/// Runs a tool with bytes on its standard input; its standard output, when it succeeds.
fn filter(program: &Path, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A tool that refuses its input stops reading it.
    let writer = std::thread::spawn(move || stdin.write_all(&input).is_ok());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    if output.status.success() { Ok(output.stdout) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

struct IdentityFile(PathBuf);

impl IdentityFile {
    fn new(name: &str, secret: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.txt", std::process::id()));
        std::fs::write(&path, format!("# made for a test\n{secret}\n")).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for IdentityFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn recipients(identities: &Identities) -> Recipients {
    Recipients::parse(&identities.public_keys().join("\n")).unwrap()
}

#[test]
fn an_encrypted_segment_is_bson_again_after_age_and_zstd() {
    let header = SegmentHeader {
        lineage: "rs0-1".parse().unwrap(),
        snapshot: "20260102T030405Z-1".parse().unwrap(),
        uuid: CollectionUuid([3; 16]),
        namespace: Namespace::new("shop", "orders"),
        part: 0,
        order: Order::Natural,
        bounds: None,
    };
    let (mut encoder, mut object) = segment::encoder(&header, DEFAULT_BLOCK_BYTES).unwrap();
    let mut plain = Vec::new();
    for n in 0..20_000_u16 {
        let document = rawdoc! { "_id": i32::from(n), "text": "x".repeat(usize::from(n % 90)) };
        plain.extend_from_slice(document.as_bytes());
        if let Some(block) = encoder.push(document.as_bytes()).unwrap() {
            object.extend(block.compress(3).unwrap().bytes);
        }
    }
    let finished = segment::finish(encoder).unwrap();
    object.extend(finished.last_block.unwrap().compress(3).unwrap().bytes);
    object.extend(finished.footer);

    let (identities, secret) = Identities::generate();
    let key = header.key(true);
    assert!(key.to_string().ends_with(".bson.zst.age"));
    let encrypted = Encryptor::whole(&recipients(&identities), &object).unwrap();
    let file = IdentityFile::new("segment", &secret);
    let decrypted = filter(&age(), &["--decrypt", "--identity", file.path()], &encrypted).unwrap();
    assert_eq!(decrypted, object);
    assert!(filter(&zstd(), &["-dc"], &decrypted).unwrap() == plain, "zstd gives the plain documents");

    let mut decoder = SegmentDecoder::new(key);
    decoder.feed(&Decryptor::whole(Some(&identities), &[], &encrypted).unwrap());
    let mut documents = 0;
    while let Some(event) = decoder.next_event().unwrap() {
        if let SegmentEvent::Documents(block) = event {
            documents += block.count();
        }
    }
    assert_eq!((documents, decoder.finish().unwrap().documents), (20_000, 20_000));
}

#[test]
fn what_age_encrypts_to_two_recipients_either_can_read_here() {
    let ((one, _), (other, _), (stranger, _)) =
        (Identities::generate(), Identities::generate(), Identities::generate());
    let plain: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let (to_one, to_other) = (&one.public_keys()[0], &other.public_keys()[0]);
    let encrypted = filter(&age(), &["-r", to_one, "-r", to_other], &plain).unwrap();
    for identities in [&one, &other] {
        assert!(Decryptor::whole(Some(identities), &[], &encrypted).unwrap() == plain);
    }
    assert!(Decryptor::whole(Some(&stranger), &[], &encrypted).unwrap_err().is_key_problem());
}

#[test]
fn age_also_refuses_what_was_cut_off_here() {
    let (identities, secret) = Identities::generate();
    let encrypted = Encryptor::whole(&recipients(&identities), &vec![7; 200_000]).unwrap();
    let file = IdentityFile::new("cut", &secret);
    let cut = &encrypted[..encrypted.len() - 16];
    filter(&age(), &["--decrypt", "--identity", file.path()], cut).unwrap_err();
    Decryptor::whole(Some(&identities), &[], cut).unwrap_err();
}

#[test]
fn keys_that_age_makes_are_read() {
    let keygen = age().with_file_name("age-keygen");
    let text = String::from_utf8(filter(&keygen, &[], &[]).unwrap()).unwrap();
    let identities = Identities::parse(&text).unwrap();
    assert!(text.contains(&identities.public_keys()[0]), "the comment names the same public key");
}
