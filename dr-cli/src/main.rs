//! `dr-cli`: what an on-call engineer uses to see what can be restored, to restore it, and to prove stored bytes.
//!
//! Arguments are parsed, one command runs, and what it reports is printed once: for people, or with `--json` as one
//! object. Nothing else writes to stdout, and the exit code follows from the report alone.

use std::process::ExitCode;
use std::time::Duration;

use recovery::{Failure, FailureKind, Interrupt};

mod args;
mod catalog;
mod commands;
mod confirm;
mod context;
mod output;
mod progress;
mod saved_plan;

use args::{Invocation, Parsed};
use context::Context;
use output::Report;

// Blocks of a megabyte come and go on many threads; the system allocator keeps too much of them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let invocation = match args::parse(std::env::args_os()) {
        Parsed::Run(invocation) => *invocation,
        Parsed::Show(text) => return output::show(&text),
        Parsed::Refused { sink, failure } => return sink.finish(Err(failure)),
    };
    let sink = invocation.sink.clone();
    sink.finish(start(invocation))
}

fn start(invocation: Invocation) -> recovery::Result<Report> {
    let unexpected = |what: String| Failure::new(FailureKind::Unexpected, what);
    telemetry::start_logging(telemetry::LogFormat::Text, &invocation.log_level)
        .map_err(|error| Failure::new(FailureKind::Usage, error).at("--log-level"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| unexpected(format!("the async runtime does not start: {error}")))?;
    let report = runtime.block_on(until_interrupted(invocation));
    // A prompt that waits for input would keep the process alive.
    runtime.shutdown_timeout(Duration::from_millis(100));
    report
}

/// A signal ends the command where it is, unless something is under way that has to come to an end first: then it is passed on, and a second
/// one ends it.
async fn until_interrupted(invocation: Invocation) -> recovery::Result<Report> {
    let interrupt = Interrupt::default();
    let mut command = std::pin::pin!(run(invocation, interrupt.clone()));
    let signal = tokio::select! {
        report = &mut command => return report,
        signal = wait_for_signal() => signal,
    };
    if !interrupt.is_held() {
        return Err(interrupted(signal));
    }
    interrupt.ask(signal);
    tokio::select! {
        report = command => report,
        signal = wait_for_signal() => Err(interrupt.parting().unwrap_or_else(|| interrupted(signal))),
    }
}

async fn run(invocation: Invocation, interrupt: Interrupt) -> recovery::Result<Report> {
    for warning in &invocation.warnings {
        invocation.sink.warn(warning);
    }
    let context = Context::new(&invocation, interrupt);
    commands::run(&context, invocation.command).await
}

fn interrupted(signal: &'static str) -> Failure {
    Failure::new(FailureKind::Cancelled, "cancelled before the end")
        .at("dr-cli")
        .because(signal)
        .then("run the same command again: a restore goes on where it stopped, everything else starts over")
}

async fn wait_for_signal() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        drop(tokio::signal::ctrl_c().await);
        return "Ctrl-C";
    };
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = tokio::signal::ctrl_c() => "Ctrl-C",
    }
}
