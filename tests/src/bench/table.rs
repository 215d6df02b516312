//! What was measured, against what, and whether the goal is met.

use std::path::Path;

use anyhow::{Context, Result};

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

#[derive(Debug, Clone)]
pub struct Row {
    pub what: String,
    pub value: String,
    /// The limit or peer, with its own value.
    pub against: String,
    pub ratio: Option<f64>,
    /// At most (or at least) so much.
    pub goal: String,
    pub met: Option<bool>,
}

#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Table {
    /// `value` over `limit`, which should be at most `goal`.
    pub fn ratio(&mut self, what: &str, value: (f64, String), limit: (f64, String), goal: Option<f64>) {
        let ratio = value.0 / limit.0;
        self.push(Row {
            what: what.to_owned(),
            value: value.1,
            against: limit.1,
            ratio: Some(ratio),
            goal: goal.map_or_else(|| "—".to_owned(), |goal| format!("≤ {goal}")),
            met: goal.map(|goal| ratio <= goal),
        });
    }

    pub fn push(&mut self, row: Row) {
        let met = row.met.map_or("", |met| if met { ", met" } else { ", MISSED" });
        let ratio = row.ratio.map_or_else(String::new, |ratio| format!(" = {ratio:.2}"));
        super::progress(&format!("{}: {} against {}{ratio}, goal {}{met}", row.what, row.value, row.against, row.goal));
        self.rows.push(row);
    }

    /// Where the time goes, what was left out.
    pub fn note(&mut self, text: String) {
        super::progress(&text);
        self.notes.push(text);
    }

    pub fn to_text(&self) -> String {
        let heading = ["| measured | value | limit or peer | ratio | goal | met |", "|---|---|---|---|---|---|"];
        let rows = self.rows.iter().map(|row| {
            let ratio = row.ratio.map_or_else(|| "—".to_owned(), |ratio| format!("{ratio:.2}"));
            let met = row.met.map_or("—", |met| if met { "yes" } else { "**no**" });
            let Row { what, value, against, goal, .. } = row;
            format!("| {what} | {value} | {against} | {ratio} | {goal} | {met} |")
        });
        let notes = self.notes.iter().map(|note| format!("- {note}"));
        let lines = heading.map(str::to_owned).into_iter().chain(rows).chain([String::new()]).chain(notes);
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Replaces what stands between the markers.
pub fn write(path: &Path, machine: &[String], table: &Table) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let (before, rest) = text.split_once(BEGIN).with_context(|| format!("{} has no {BEGIN}", path.display()))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{} has no {END}", path.display()))?;
    let machine = machine.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n");
    let text = format!("{before}{BEGIN}\n{machine}\n\n{}\n{END}{after}", table.to_text().trim_end());
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_above_its_goal_is_missed() {
        let mut table = Table::default();
        table.ratio("a", (2.0, "2 s".into()), (1.0, "1 s".into()), Some(1.5));
        table.ratio("b", (1.0, "1 s".into()), (1.0, "1 s".into()), Some(1.5));
        let text = table.to_text();
        assert!(text.contains("| a | 2 s | 1 s | 2.00 | ≤ 1.5 | **no** |"), "{text}");
        assert!(text.contains("| b | 1 s | 1 s | 1.00 | ≤ 1.5 | yes |"), "{text}");
    }

    #[test]
    fn only_what_stands_between_the_markers_is_replaced() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("page.md");
        std::fs::write(&path, format!("# Page\n{BEGIN}\nold\n{END}\nafter\n"))?;
        write(&path, &["two cores".to_owned()], &Table::default())?;
        let text = std::fs::read_to_string(&path)?;
        assert!(text.starts_with("# Page\n") && text.ends_with("after\n") && !text.contains("old"), "{text}");
        assert!(text.contains("- two cores"), "{text}");
        Ok(())
    }
}
