//! `make demo`: the main job on this machine, told on the terminal. Exit code 0 only when everything held. `demo drill` is `make drill`: one program,
//! because linking costs more than running.

use std::process::ExitCode;

use e2e::archive_place::StoreKind;
use e2e::demo::{Options, Story};
use e2e::demo_drill;
use e2e::programs::stopped;
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: demo [--documents N] [--store file|s3|azure] [--keep]

  --documents N  how many documents the shop has [default: 600000]
  --store KIND   where the archive is: a folder, an S3 server, Azurite (fetched when needed) [default: file]
  --keep         leave servers and archive as they are at the end, until Ctrl-C";

fn options() -> Result<Options, String> {
    let mut options = Options::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--keep" => options.keep = true,
            "--documents" => {
                let number = arguments.next().and_then(|number| number.replace(['_', ','], "").parse().ok());
                options.documents = number
                    .filter(|number| (200..=100_000_000).contains(number))
                    .ok_or_else(|| format!("--documents needs a number from 200 to 100,000,000\n{USAGE}"))?;
            }
            "--store" => {
                let kind = arguments.next().and_then(|name| StoreKind::named(&name));
                options.store = kind.ok_or_else(|| format!("--store needs file, s3 or azure\n{USAGE}"))?;
            }
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(options)
}

#[tokio::main]
async fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("drill") {
        return drill().await;
    }
    let options = match options() {
        Ok(options) => options,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(2);
        }
    };
    let mut story = Story::default();
    let told = tokio::select! {
        told = story.tell(options) => Some(told),
        () = stopped() => None,
    };
    match told {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("\n{}\ndemo: {error:#}", story.log_tails());
            ExitCode::FAILURE
        }
        None => {
            eprintln!("\ndemo: stopped; ending servers and removing files");
            ExitCode::from(130)
        }
    }
    // `story` ends here, and with it every server and every file of the run.
}

/// Exits as `dr-cli drill` does.
async fn drill() -> ExitCode {
    let options = match demo_drill::Options::parse(std::env::args().skip(2)) {
        Ok(options) => options,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(2);
        }
    };
    // `dr-cli` gets Ctrl-C too, and comes to its end first: what it made is to be told.
    let _caught = signal(SignalKind::interrupt());
    match demo_drill::run(options).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("demo drill: {error:#}");
            ExitCode::FAILURE
        }
    }
}
