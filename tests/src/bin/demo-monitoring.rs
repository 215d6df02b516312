//! `make demo-monitoring`: faults, the alerts that arrive and what the pages show. Exit code 0 only when everything held.

use std::path::PathBuf;
use std::process::ExitCode;

use e2e::demo_monitoring::{MonitoringStory, Options};
use e2e::programs::stopped;

const USAGE: &str = "usage: demo-monitoring [--out DIR] [--keep]

  --out DIR  where pictures and pages go [default: demo-monitoring in the target folder]
  --keep     leave everything running at the end, until Ctrl-C";

fn options() -> Option<Options> {
    let this = std::env::current_exe().ok()?;
    let target = this.parent()?.parent()?;
    let mut options = Options { out: target.join("demo-monitoring"), keep: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--keep" => options.keep = true,
            "--out" => options.out = PathBuf::from(arguments.next()?),
            _ => return None,
        }
    }
    Some(options)
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let mut story = MonitoringStory::default();
    let told = tokio::select! {
        told = story.tell(&options) => Some(told),
        () = stopped() => None,
    };
    match told {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("\n{}\ndemo-monitoring: {error:#}", story.log_tails().await);
            ExitCode::FAILURE
        }
        None => {
            eprintln!("\ndemo-monitoring: stopped; ending servers and removing files");
            ExitCode::from(130)
        }
    }
    // `story` ends here, and with it every server and every file of the run.
}
