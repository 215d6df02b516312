//! Pictures of pages, by a headless Chromium.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use testkit::fetched;
use testkit::mongod::temp_folder;
use testkit::processes::finish;

const LIMIT: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub struct Browser {
    program: PathBuf,
}

impl Browser {
    /// What `CHROMIUM` names, else the one that is fetched.
    pub async fn find() -> Result<Self> {
        let find = || fetched::path("CHROMIUM", "fetch-chromium.sh");
        Ok(Self { program: tokio::task::spawn_blocking(find).await?? })
    }

    /// Writes a picture of the page at `url`.
    pub async fn shoot(&self, url: &str, picture: &Path, (width, height): (u32, u32)) -> Result<()> {
        let profile = temp_folder("browser")?;
        let arguments = [
            "--headless".to_owned(),
            // A container gives a browser no right to a sandbox of its own; it sees pages of this run only.
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--hide-scrollbars".to_owned(),
            format!("--user-data-dir={}", profile.path().display()),
            format!("--window-size={width},{height}"),
            format!("--screenshot={}", picture.display()),
            url.to_owned(),
        ];
        let finished = tokio::time::timeout(LIMIT, finish(&self.program, arguments, &[])).await;
        let finished = finished.with_context(|| format!("{url} was not drawn within {LIMIT:?}"))??;
        ensure!(finished.exit_code == 0 && picture.is_file(), "{url} was not drawn: {}", finished.stderr);
        Ok(())
    }
}
