use super::*;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn nothing_has_its_name_before_everything_is_there() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("dump");
    let folder = Folder::begin(&out).unwrap();
    folder.write(Path::new("shop/orders.bson"), b"x").await.unwrap();
    assert_eq!(names(root.path()), ["dump.incomplete"]);
    folder.finish().unwrap();
    assert_eq!((names(root.path()), names(&out)), (vec!["dump".to_owned()], vec!["shop".to_owned()]));
    assert_eq!(fs::metadata(&out).unwrap().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn no_name_of_a_database_meets_our_own_files() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("dump");
    let folder = Folder::begin(&out).unwrap();
    for name in ["INCOMPLETE.lock", "INCOMPLETE", "dump"] {
        folder.write(&Path::new(name).join("orders.bson"), b"x").await.unwrap();
    }
    folder.finish().unwrap();
    assert_eq!(names(&out), ["INCOMPLETE", "INCOMPLETE.lock", "dump"]);
}

#[tokio::test]
async fn an_empty_folder_is_taken_and_a_full_one_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("dump");
    fs::create_dir(&out).unwrap();
    Folder::begin(&out).unwrap().finish().unwrap();
    fs::write(out.join("mine"), "x").unwrap();
    let refused = Folder::begin(&out).unwrap_err();
    assert_eq!(refused.exit_code(), 9, "{refused}");
    assert_eq!((names(root.path()), names(&out)), (vec!["dump".to_owned()], vec!["mine".to_owned()]));

    // Somebody was quicker.
    let late = root.path().join("late");
    let folder = Folder::begin(&late).unwrap();
    fs::create_dir(&late).unwrap();
    fs::write(late.join("theirs"), "x").unwrap();
    assert_eq!(folder.finish().unwrap_err().exit_code(), 9);
    assert_eq!(
        (names(&late), names(root.path())),
        (vec!["theirs".to_owned()], vec!["dump".to_owned(), "late".to_owned()])
    );
}

#[tokio::test]
async fn what_a_killed_export_left_is_removed_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let (out, staging) = (root.path().join("dump"), root.path().join("dump.incomplete"));
    let folder = Folder::begin(&out).unwrap();
    folder.write(Path::new("a/b.bson"), b"x").await.unwrap();
    assert_eq!(Folder::begin(&out).unwrap_err().exit_code(), 7, "somebody is at it");
    assert!(staging.join("dump/a/b.bson").exists());
    // As after SIGKILL: the lock is gone, the files are there.
    folder.mark.unlock().unwrap();
    std::mem::forget(folder);
    Folder::begin(&out).unwrap().finish().unwrap();
    assert_eq!(names(&out), Vec::<String>::new());

    fs::create_dir(&staging).unwrap();
    fs::write(staging.join("mine"), "x").unwrap();
    fs::remove_dir(&out).unwrap();
    assert_eq!(Folder::begin(&out).unwrap_err().exit_code(), 9, "not ours");
    assert_eq!(names(&staging), ["mine"]);
}

/// What stands there after each single step of an export, an end or a removal.
#[test]
fn whenever_an_export_is_killed_the_next_one_takes_its_place() {
    for left in [&[][..], &["INCOMPLETE.lock"], &["INCOMPLETE.lock", "dump/"], &["INCOMPLETE.lock", "dump/a.bson"]] {
        let root = tempfile::tempdir().unwrap();
        let (out, staging) = (root.path().join("dump"), root.path().join("dump.incomplete"));
        fs::create_dir(&staging).unwrap();
        for name in left {
            fs::create_dir_all(staging.join(name).parent().unwrap()).unwrap();
            if name.ends_with('/') {
                fs::create_dir(staging.join(name)).unwrap();
            } else {
                fs::write(staging.join(name), "").unwrap();
            }
        }
        Folder::begin(&out).unwrap().finish().unwrap();
        assert_eq!((names(root.path()), names(&out)), (vec!["dump".to_owned()], vec![]), "{left:?}");
    }
}

/// The places where a kill could fall between two steps are all among those of the test above.
#[tokio::test]
async fn the_mark_comes_first_and_goes_last() {
    let root = tempfile::tempdir().unwrap();
    let (out, staging) = (root.path().join("dump"), root.path().join("dump.incomplete"));
    let folder = Folder::begin(&out).unwrap();
    folder.write(Path::new("a.bson"), b"x").await.unwrap();
    assert_eq!(names(&staging), ["INCOMPLETE.lock", "dump"]);
    // With the mark taken away by somebody, an end goes as far as to it, and no further.
    fs::remove_file(staging.join(MARK)).unwrap();
    assert_eq!(Folder::begin(&out).unwrap_err().exit_code(), 9, "without the mark it is nobody's");
    drop(folder);
    assert_eq!((names(root.path()), names(&staging)), (vec!["dump.incomplete".to_owned()], vec![]));
}

#[test]
fn links_and_files_in_the_place_are_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let (out, staging) = (root.path().join("dump"), root.path().join("dump.incomplete"));
    let elsewhere = root.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &staging).unwrap();
    assert_eq!(Folder::begin(&out).unwrap_err().exit_code(), 9);
    assert_eq!(names(&elsewhere), Vec::<String>::new());
    // Not even where it leads to what looks like ours.
    fs::create_dir(elsewhere.join("dump")).unwrap();
    for name in [MARK, "dump/a.bson"] {
        fs::write(elsewhere.join(name), "").unwrap();
    }
    assert_eq!(Folder::begin(&out).unwrap_err().exit_code(), 9);
    assert_eq!(names(&elsewhere.join("dump")), ["a.bson"]);
    fs::remove_file(&staging).unwrap();
    fs::write(&staging, "mine").unwrap();
    assert_eq!(Folder::begin(&out).unwrap_err().exit_code(), 9);
    assert_eq!(fs::read(&staging).unwrap(), b"mine");
}

#[tokio::test]
async fn an_export_that_is_given_up_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let folder = Folder::begin(&root.path().join("dump")).unwrap();
    folder.write(Path::new("a/b.bson"), b"x").await.unwrap();
    drop(folder);
    assert_eq!(names(root.path()), Vec::<String>::new());
}

#[test]
fn places_that_cannot_be_a_folder_are_usage_errors() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("file"), "x").unwrap();
    for out in ["file", "missing/dump"] {
        assert_eq!(Folder::begin(&root.path().join(out)).unwrap_err().exit_code(), 2, "{out}");
    }
    assert_eq!(Folder::begin(Path::new("/")).unwrap_err().exit_code(), 2);
    assert_eq!(Folder::begin(Path::new("/proc")).unwrap_err().exit_code(), 9, "or not empty");
}
