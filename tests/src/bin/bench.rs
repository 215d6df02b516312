//! `make bench`: speed and memory as ratios in one run, on the terminal and in `docs/benchmarks.md`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use e2e::bench::{Options, run, simulate_catalog, simulate_listing};
use e2e::programs::stopped;

const USAGE: &str = "usage: bench [--quick] [--only N,N] [--no-write]

  --quick      a tenth of everything, not written to docs/benchmarks.md
  --only N,N   1 snapshot, 2 restore, 3 memory, 4 many collections, 5 replay, 6 object stores and encryption,
               7 archiver, 8 listing of a million slices, 9 monitoring; not written either
  --no-write   print only

MONGODUMP and MONGORESTORE name peers to compare with.";

enum Invocation {
    Bench(Options),
    /// The child that measures pure code.
    Catalog(u64),
    /// The child that lists so many slices.
    Listing(u64),
}

fn invocation() -> Option<Invocation> {
    let mut options = Options { write_to: Some(page()), ..Options::default() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--catalog" => return Some(Invocation::Catalog(arguments.next()?.parse().ok()?)),
            "--listing" => return Some(Invocation::Listing(arguments.next()?.parse().ok()?)),
            "--quick" => {
                options.quick = true;
                options.write_to = None;
            }
            "--only" => {
                for part in arguments.next()?.split(',') {
                    options.parts.insert(part.parse().ok().filter(|part| (1..=9).contains(part))?);
                }
                options.write_to = None;
            }
            "--no-write" => options.write_to = None,
            _ => return None,
        }
    }
    Some(Invocation::Bench(options))
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/benchmarks.md")
}

fn main() -> ExitCode {
    match invocation() {
        Some(Invocation::Bench(options)) => bench(&options),
        Some(Invocation::Catalog(collections)) => {
            finish(simulate_catalog(collections).map(|figures| println!("{figures}")))
        }
        Some(Invocation::Listing(slices)) => listing(slices),
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

#[tokio::main]
async fn bench(options: &Options) -> ExitCode {
    let run = tokio::select! {
        run = run(options) => run,
        () = stopped() => {
            eprintln!("\nbench: stopped; ending servers and removing files");
            return ExitCode::from(130);
        }
    };
    finish(run)
}

/// With as many threads as `dr-cli` has.
#[tokio::main]
async fn listing(slices: u64) -> ExitCode {
    finish(simulate_listing(slices).await.map(|figures| println!("{figures}")))
}

fn finish(run: anyhow::Result<()>) -> ExitCode {
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
