//! The folder of one run: its record, what it was told, plans, logs, and the state where the root has no backend.
//!
//! Only its owner may enter it, because plans and states hold secrets. A lock says that a `dr-cli` works in it. When everything that the run
//! made is gone, the record alone stays.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::record::{RunPhase, RunRecord};
use crate::failure::{Failure, FailureKind, Result};

const RECORD: &str = "run.json";
const ARGUMENTS: &str = "arguments.json";
const OWNER: &str = "owner";

/// What Terraform is told in every call: kept, so that cleaning up needs nothing but the run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arguments {
    pub variables: Vec<String>,
    /// Copies in the folder.
    pub variable_files: Vec<PathBuf>,
    pub backend_config: Vec<String>,
}

#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    _owner: File,
}

/// Where runs are kept when nobody says otherwise. `variable` reads the environment.
pub fn default_parent(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> PathBuf {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let state = state.or_else(|| set("HOME").map(|home| home.join(".local/state"))).unwrap_or_else(std::env::temp_dir);
    state.join("tidemark/runs")
}

/// Records of drills below `parent` that made something and on which nobody works: what they made is perhaps still there. Nothing is touched.
pub fn abandoned(parent: &Path) -> Vec<(PathBuf, RunRecord)> {
    let folders = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_free = |folder: &PathBuf| File::open(folder.join(OWNER)).is_ok_and(|owner| owner.try_lock().is_ok());
    let read = |folder: PathBuf| {
        let record = RunRecord::of_json(&fs::read(folder.join(RECORD)).ok()?).ok()?;
        let has_something = (RunPhase::Applying..RunPhase::Destroyed).contains(&record.phase);
        (has_something && record.command == "drill").then_some((folder, record))
    };
    let mut found: Vec<_> = folders.filter(is_free).filter_map(read).collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

impl RunFolder {
    /// Makes it; one that is there has to be empty.
    pub fn create(path: &Path) -> Result<Self> {
        let path = std::path::absolute(path).map_err(|error| unusable(path, &error))?;
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|error| unusable(&path, &error))?;
        let mut entries = fs::read_dir(&path).map_err(|error| unusable(&path, &error))?;
        if entries.next().is_some() {
            return Err(Failure::new(FailureKind::Unsafe, "the folder of the run is not empty")
                .at(path.display().to_string())
                .because("each run has its own folder, and this one holds something, maybe another run")
                .then("--run-dir DIR of a new folder, or no --run-dir"));
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(|error| unusable(&path, &error))?;
        Self::lock(path)
    }

    /// The folder of a run that took place: by its path, or by the name of the run below `parent`.
    pub fn open(run: &Path, parent: &Path) -> Result<Self> {
        let path = if run.components().count() == 1 && !run.is_dir() { parent.join(run) } else { run.to_owned() };
        let path = std::path::absolute(&path).map_err(|error| unusable(&path, &error))?;
        if !path.join(RECORD).is_file() {
            return Err(Failure::new(FailureKind::NotFound, format!("there is no run {}", run.display()))
                .at(path.display().to_string())
                .because("the name is misspelled, or it is a run of another machine or user")
                .then(format!("ls {}", parent.display())));
        }
        Self::lock(path)
    }

    fn lock(path: PathBuf) -> Result<Self> {
        let owner = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(path.join(OWNER));
        let mut owner = owner.map_err(|error| unusable(&path, &error))?;
        if owner.try_lock().is_err() {
            let pid = fs::read_to_string(path.join(OWNER)).unwrap_or_default();
            return Err(Failure::new(FailureKind::LeaseHeld, "the run is under way")
                .at(path.display().to_string())
                .because(format!("process {} works on it", pid.trim()))
                .then("wait until it has ended, or stop it with Ctrl-C first"));
        }
        let noted = owner.set_len(0).and_then(|()| owner.write_all(std::process::id().to_string().as_bytes()));
        noted.map_err(|error| unusable(&path, &error))?;
        Ok(Self { path, _owner: owner })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub fn save(&self, record: &RunRecord) -> Result<()> {
        self.write(RECORD, &record.to_json())
    }

    pub fn record(&self) -> Result<RunRecord> {
        let path = self.file(RECORD);
        let bytes = fs::read(&path).map_err(|error| unusable(&path, &error))?;
        RunRecord::of_json(&bytes).map_err(|problem| {
            Failure::new(FailureKind::Usage, format!("the record of the run cannot be used: {problem}"))
                .at(path.display().to_string())
                .because("another release wrote it, or it was changed")
                .then("a dr-cli of the release that wrote it")
        })
    }

    pub fn save_arguments(&self, arguments: &Arguments) -> Result<()> {
        self.write(ARGUMENTS, &serde_json::to_vec_pretty(arguments).unwrap_or_default())
    }

    pub fn arguments(&self) -> Result<Arguments> {
        let path = self.file(ARGUMENTS);
        let bytes = fs::read(&path).map_err(|error| unusable(&path, &error))?;
        serde_json::from_slice(&bytes).map_err(|error| unusable(&path, &std::io::Error::other(error)))
    }

    /// Takes a copy of a file of variables, because the original may be gone when it is needed.
    pub fn keep(&self, file: &Path, number: usize) -> Result<PathBuf> {
        let unreadable = |error: &std::io::Error| {
            Failure::new(FailureKind::Usage, format!("--var-file cannot be read: {error}"))
                .at(file.display().to_string())
                .because("it does not exist, or this user may not read it")
                .then("name the file again")
        };
        let bytes = fs::read(file).map_err(|error| unreadable(&error))?;
        // Its name decides whether it is read as JSON.
        let is_json = file.extension().is_some_and(|extension| extension == "json");
        let name = format!("variables-{number}.tfvars{}", if is_json { ".json" } else { "" });
        self.write(&name, &bytes)?;
        Ok(self.file(&name))
    }

    /// Moves a file of somebody else into the folder, replacing the one of that name.
    pub fn take_in(&self, from: &Path, name: &str) -> Result<()> {
        let bytes = fs::read(from).map_err(|error| unusable(from, &error))?;
        self.write(name, &bytes)?;
        fs::remove_file(from).map_err(|error| unusable(from, &error))
    }

    /// Replaces a file at once, or not at all, whatever ends this process.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let (path, next) = (self.file(name), self.file(&format!("{name}.next")));
        let written = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&next)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&next, &path)?;
            File::open(&self.path)?.sync_all()
        };
        written().map_err(|error| unusable(&path, &error))
    }

    /// Removes everything but the record: secrets are in the rest.
    pub fn leave_record(&self) -> Result<()> {
        for entry in fs::read_dir(&self.path).map_err(|error| unusable(&self.path, &error))?.flatten() {
            if entry.file_name() == RECORD {
                continue;
            }
            let path = entry.path();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(|error| unusable(&path, &error))?;
        }
        Ok(())
    }

    /// For a run that made nothing.
    pub fn remove(&self) {
        fs::remove_dir_all(&self.path).ok();
    }
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(FailureKind::Usage, format!("the folder of the run cannot be used: {error}"))
        .at(path.display().to_string())
        .because("this user may not write there, or the disk is full")
        .then("--run-dir DIR names another one")
}

#[cfg(test)]
mod tests {
    use super::super::record::samples::record;
    use super::*;

    #[test]
    fn runs_are_kept_below_the_state_folder_of_the_user() {
        let parent = |variables: &[(&str, &str)]| {
            default_parent(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
        };
        assert_eq!(parent(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")]), Path::new("/s/tidemark/runs"));
        assert_eq!(parent(&[("XDG_STATE_HOME", "x"), ("HOME", "/h")]), Path::new("/h/.local/state/tidemark/runs"));
        assert!(parent(&[]).is_absolute());
    }

    #[test]
    fn a_run_is_found_again_by_name_and_by_path_but_not_while_somebody_works_on_it() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("deep/run-1");
        let folder = RunFolder::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        folder.save(&record(RunPhase::Applied)).unwrap();
        let held = RunFolder::open(&path, parent.path()).unwrap_err();
        assert!(held.kind == FailureKind::LeaseHeld && held.cause.contains(&std::process::id().to_string()), "{held}");
        drop(folder);
        for run in [Path::new("run-1"), &path] {
            let again = RunFolder::open(run, &parent.path().join("deep")).unwrap();
            assert_eq!(again.record().unwrap(), record(RunPhase::Applied));
        }
        assert_eq!(RunFolder::open(Path::new("run-2"), parent.path()).unwrap_err().kind, FailureKind::NotFound);
        assert_eq!(RunFolder::create(&path).unwrap_err().kind, FailureKind::Unsafe);
    }

    #[test]
    fn drills_that_nobody_works_on_and_that_made_something_are_found() {
        let parent = tempfile::tempdir().unwrap();
        let made = |name: &str, phase: RunPhase, command: &str| {
            let folder = RunFolder::create(&parent.path().join(name)).unwrap();
            folder.save(&RunRecord { command: command.to_owned(), ..record(phase) }).unwrap();
            folder
        };
        drop(made("killed", RunPhase::Applying, "drill"));
        drop(made("done", RunPhase::Destroyed, "drill"));
        drop(made("planned", RunPhase::Planned, "drill"));
        drop(made("wanted", RunPhase::Restored, "restore"));
        let _alive = made("alive", RunPhase::Applied, "drill");
        let found: Vec<_> = abandoned(parent.path()).into_iter().map(|(folder, _)| folder).collect();
        assert_eq!(found, [parent.path().join("killed")]);
        assert!(abandoned(&parent.path().join("nowhere")).is_empty());
    }

    #[test]
    fn files_of_a_run_are_for_its_owner_only_and_the_record_outlives_them() {
        let parent = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&parent.path().join("run")).unwrap();
        let given = parent.path().join("mine.tfvars.json");
        fs::write(&given, "{}").unwrap();
        let kept = folder.keep(&given, 0).unwrap();
        assert!(kept.display().to_string().ends_with(".tfvars.json"));
        let arguments = Arguments { variable_files: vec![kept.clone()], ..Arguments::default() };
        folder.save_arguments(&arguments).unwrap();
        assert_eq!(folder.arguments().unwrap(), arguments);
        folder.save(&record(RunPhase::Destroyed)).unwrap();
        for file in [&kept, &folder.file(RECORD), &folder.file(ARGUMENTS)] {
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
        }
        fs::create_dir(folder.file("data")).unwrap();
        folder.leave_record().unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left, [RECORD]);
    }
}
