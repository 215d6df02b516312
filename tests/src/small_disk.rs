//! A small real file system, to be full.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// Unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// `None`, with the reason printed, where this process may not mount.
    pub fn mount(megabytes: u32) -> Result<Option<Self>> {
        let folder = testkit::mongod::temp_folder("small-disk")?;
        let size = format!("size={megabytes}m");
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output()?;
        if output.status.success() {
            return Ok(Some(Self { folder }));
        }
        eprintln!("cannot mount a tmpfs: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(None)
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn resize(&self, megabytes: u32) -> Result<()> {
        let size = format!("remount,size={megabytes}m");
        let status = Command::new("mount").args(["-o", &size]).arg(self.path()).status().context("remount")?;
        ensure!(status.success(), "remount: {status}");
        Ok(())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.path()).status());
    }
}
