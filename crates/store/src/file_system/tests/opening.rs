use std::fs::File;

use jiff::{SignedDuration, Timestamp};

use super::{names_in, put};
use crate::error::ErrorKind;
use crate::{ObjectStoreExt, open, open_or_create};

#[tokio::test]
async fn a_missing_folder_is_not_found_for_reading_and_made_for_writing() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("deep/arch ive");
    let url = format!("file://{}/deep/arch%20ive", parent.path().display());
    let error = open(&url).unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::NotFound, None));
    assert!(error.to_string().contains(folder.to_str().unwrap()), "{error}");
    assert!(!parent.path().join("deep").exists(), "opening for reading changes nothing");

    let written = open_or_create(&url).unwrap();
    assert_eq!(written.location(), url);
    put(&*written, "a", "x").await;
    assert_eq!(names_in(&folder.join(".tmp")), Vec::<String>::new());
    assert_eq!(open(&url).unwrap().get_bytes("a", 9).await.unwrap().unwrap(), "x");
}

#[test]
fn a_file_in_the_place_of_the_folder_is_told_as_such() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    File::create(&file).unwrap();
    let url = format!("file://{}", file.display());
    for error in [open(&url).unwrap_err(), open_or_create(&url).unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("is not a folder"), "{error}");
    }
    assert_eq!(open(&format!("{url}/below")).unwrap_err().kind(), ErrorKind::NotFound);
    let error = open_or_create(&format!("{url}/below")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("file/below"), "{error}");
}

#[test]
fn leftovers_of_killed_writers_are_removed_after_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let staging = folder.path().join(".tmp");
    std::fs::create_dir(&staging).unwrap();
    for (name, hours) in [("old", 25), ("young", 23)] {
        let file = File::create(staging.join(name)).unwrap();
        file.set_modified((Timestamp::now() - SignedDuration::from_hours(hours)).into()).unwrap();
    }
    let url = format!("file://{}", folder.path().display());
    open(&url).unwrap();
    assert_eq!(names_in(&staging), ["old", "young"], "opening for reading changes nothing");
    open_or_create(&url).unwrap();
    assert_eq!(names_in(&staging), ["young"]);
}
