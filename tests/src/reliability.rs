//! The table of faults names tests; they must exist, or the table says what nobody shows.

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use anyhow::{Context, Result, ensure};

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    /// Names of functions that are marked as tests, or listed as cases of the conformance suite.
    fn tests_in(folder: &Path, found: &mut BTreeSet<String>) -> Result<()> {
        for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                tests_in(&path, found)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let mut is_test = false;
                for line in std::fs::read_to_string(&path)?.lines().map(str::trim) {
                    is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
                    let declared = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
                    let name = declared.and_then(|rest| rest.split_once('(')).map(|(name, _)| name.to_owned());
                    if name.is_some() && std::mem::take(&mut is_test) {
                        found.extend(name);
                    }
                }
            }
        }
        Ok(())
    }

    /// The last cell of each row of a table of faults.
    fn named_in(document: &str) -> BTreeSet<String> {
        let rows = document.lines().filter(|line| line.starts_with('|'));
        let cells = rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next());
        cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
    }

    #[test]
    fn every_test_that_the_table_of_faults_names_exists() -> Result<()> {
        let named = named_in(&std::fs::read_to_string(root().join("docs/reliability.md"))?);
        let mut found = BTreeSet::new();
        for folder in ["crates", "sidecar", "dr-cli", "tests"] {
            tests_in(&root().join(folder), &mut found)?;
        }
        let missing: Vec<_> = named.difference(&found).collect();
        ensure!(missing.is_empty(), "docs/reliability.md names tests that do not exist: {missing:#?}");
        ensure!(named.len() > 60 && found.len() > 300, "{} named, {} found", named.len(), found.len());
        Ok(())
    }
}
