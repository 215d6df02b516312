//! Resources, paths and commands as errors and reports spell them.

use std::path::Path;

use crate::terraform::state_json::Resource;

/// Resources that an error names; the report has all.
const SHOWN: usize = 12;

pub(super) fn line_of(one: &Resource) -> String {
    one.id.as_ref().map_or_else(|| one.address.clone(), |id| format!("{} ({id})", one.address))
}

pub(super) fn named(resources: &[Resource]) -> String {
    let shown: Vec<String> = resources.iter().take(SHOWN).map(line_of).collect();
    let more = resources.len().saturating_sub(shown.len());
    format!("{}{}", shown.join(", "), if more > 0 { format!(" and {more} more") } else { String::new() })
}

pub(super) fn clean_up_command(command: &str, root: &Path, folder: &Path) -> String {
    format!("dr-cli {command} --terraform {} --clean-up {}", quoted(root), quoted(folder))
}

/// For a shell.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c));
    if is_plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Terraform warns about `-state` wherever it is given. For a root without a backend there is no other way.
pub(super) fn without_state_warning(said: &str) -> String {
    const WARNING: &str = "Warning: Deprecated flag: -state";
    let Some(start) = said.find(WARNING) else { return said.to_owned() };
    let after = &said[start..];
    let end = after.find("#path\n").map_or(after.len(), |end| end + "#path\n".len());
    format!("{}{}", &said[..start], &after[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted_into_a_shell() {
        assert_eq!(quoted(Path::new("/a/b-c_1.x")), "/a/b-c_1.x");
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }

    #[test]
    fn the_warning_about_the_state_is_left_out_of_what_is_shown() {
        let said = "\nWarning: Deprecated flag: -state\n\nUse `path`:\nhttps://x/local#path\n\nPlan: 1 to add\n";
        assert_eq!(without_state_warning(said).trim(), "Plan: 1 to add");
        assert_eq!(without_state_warning("Plan"), "Plan");
    }

    #[test]
    fn long_lists_are_cut_in_errors() {
        let one = |n: usize| Resource { address: format!("t.a[{n}]"), kind: "t".to_owned(), id: Some(n.to_string()) };
        let all: Vec<Resource> = (0..15).map(one).collect();
        assert!(named(&all).ends_with("t.a[11] (11) and 3 more"), "{}", named(&all));
    }
}
