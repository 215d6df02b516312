//! `dr-cli completions SHELL`: made from the same definitions as the command line itself.

use clap::CommandFactory as _;
use recovery::Result;
use serde::Serialize;

use crate::args::{Cli, CompletionsArgs};
use crate::output::Report;

#[derive(Serialize)]
struct Completions {
    shell: String,
    script: String,
}

pub fn run(args: &CompletionsArgs) -> Result<Report> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "dr-cli", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Report::new(&Completions { shell: args.shell.to_string(), script: script.clone() }, script)
}
