//! Tables for people.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Columns that `right` names by their number hold amounts.
pub fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>, right: &[usize]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(head);
    for row in rows {
        table.add_row(row);
    }
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// Lines of `name  value`.
pub fn facts(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    facts.iter().fold(String::new(), |text, (name, value)| text + &format!("  {name:width$}  {value}\n"))
}

pub fn bytes(n: u64) -> String {
    indicatif::HumanBytes(n).to_string()
}

pub fn count(n: u64) -> String {
    indicatif::HumanCount(n).to_string()
}

/// `1 slice`, `1,200 slices`
pub fn plural(n: u64, one: &str) -> String {
    format!("{} {one}{}", count(n), if n == 1 { "" } else { "s" })
}
