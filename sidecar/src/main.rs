//! `sidecar`: command line in, exit code out. Everything else is in the library.

use std::process::ExitCode;

use clap::Parser as _;
use serde_json::{Value, json};
use sidecar::cli::{Cli, Command, Flags};
use sidecar::config::{Config, ConfigProblem, NodeConfig, ProbeConfig, StepDownConfig, TendConfig};
use sidecar::error::Error;
use sidecar::member::{self, MemberCommand};
use sidecar::{app, check, node, output};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

// Megabytes come and go on many threads while a snapshot is taken, and then nothing for hours: this allocator reuses what
// was freed and gives it back to the system when it stays free, the system's own keeps it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Enough to overlap network and disk; hashing and compression have threads of their own.
const WORKERS: usize = 2;
const CANCELLED: u8 = 130;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if matches!(cli.command, Command::Node) {
        return follow_logs(&cli.command, &cli.flags);
    }
    if let Command::Member { command } = &cli.command {
        return beside_member(&cli.command, command, &cli.flags);
    }
    let flags = cli.flags.clone();
    let loaded =
        Config::load(&|key| flags.find(key), &|name| std::env::var(name).ok(), &|path| std::fs::read_to_string(path));
    let config = match loaded {
        Ok(config) => config,
        Err(problems) => return refuse(&cli.command, &problems),
    };
    if let Err(reason) = telemetry::start_logging(config.log_format, &config.log_level) {
        let problem = ConfigProblem { key: "log_level".to_owned(), value: config.log_level, origin: None, reason };
        return refuse(&cli.command, &[problem]);
    }
    log_configuration(&config.shown());
    log_exposed_secrets(&config);
    run_until_stopped(async |stop| execute(&cli.command, &config, stop).await)
}

/// `node` needs neither server nor archive, so it has a configuration of its own.
fn follow_logs(command: &Command, flags: &Flags) -> ExitCode {
    let read_file = |path: &str| std::fs::read_to_string(path);
    let config = match NodeConfig::load(&|key| flags.find(key), &|name| std::env::var(name).ok(), &read_file) {
        Ok(config) => config,
        Err(problems) => return refuse(command, &problems),
    };
    if let Err(reason) = telemetry::start_logging(config.log_format, &config.log_level) {
        let problem = ConfigProblem { key: "log_level".to_owned(), value: config.log_level, origin: None, reason };
        return refuse(command, &[problem]);
    }
    log_configuration(&config.shown());
    run_until_stopped(async |stop| match node::run(&config, stop).await {
        Ok(()) => 0,
        Err(error) => fail("node", &error, false),
    })
}

/// `member` looks after a server and has no archive either. Only `tend` stays; the others are over in milliseconds.
fn beside_member(command: &Command, member: &MemberCommand, flags: &Flags) -> ExitCode {
    let variable = |name: &str| std::env::var(name).ok();
    match member {
        MemberCommand::Install { dir, keyfile } => finish("member install", member::install(dir, keyfile.as_deref())),
        MemberCommand::Probe { kind, flags, uninitiated_ok } => {
            match ProbeConfig::load(&|key| flags.find(key), &variable) {
                Err(problems) => refuse(command, &problems),
                Ok(config) => finish("member probe", run_alone(member::probe(*kind, &config, *uninitiated_ok))),
            }
        }
        MemberCommand::StepDown { flags } => match StepDownConfig::load(&|key| flags.find(key), &variable) {
            Err(problems) => refuse(command, &problems),
            Ok(config) => {
                let done = run_alone(member::step_down(&config));
                if let Ok(what) = &done {
                    println!("{what}");
                }
                finish("member step-down", done)
            }
        },
        MemberCommand::Tend { flags: own } => {
            let config = match TendConfig::load(&|key| own.find(key).or_else(|| flags.find(key)), &variable) {
                Ok(config) => config,
                Err(problems) => return refuse(command, &problems),
            };
            if let Err(reason) = telemetry::start_logging(config.log_format, &config.log_level) {
                let problem =
                    ConfigProblem { key: "log_level".to_owned(), value: config.log_level, origin: None, reason };
                return refuse(command, &[problem]);
            }
            log_configuration(&config.shown());
            run_until_stopped(async |stop| match member::tend(config, stop).await {
                Ok(()) => 0,
                Err(error) => fail("member tend", &error, false),
            })
        }
    }
}

fn finish<T>(command: &str, done: sidecar::error::Result<T>) -> ExitCode {
    match done {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(fail(command, &error, false)),
    }
}

/// On this thread: a probe runs every few seconds for ever.
fn run_alone<T>(work: impl Future<Output = sidecar::error::Result<T>>) -> sidecar::error::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::Internal(format!("cannot start the runtime: {error}")))?;
    let done = runtime.block_on(work);
    // Nobody waits for what the driver still has under way, a name that does not resolve among it.
    std::mem::forget(runtime);
    done
}

fn run_until_stopped(work: impl AsyncFnOnce(CancellationToken) -> u8) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(async {
        let stop = CancellationToken::new();
        let no_patience = stop_on_signal(stop.clone());
        tokio::select! {
            code = work(stop) => code,
            () = no_patience.cancelled() => CANCELLED,
        }
    });
    // Everything of ours has ended. The driver's own tasks do not expect to be cancelled; they end with the process.
    std::mem::forget(runtime);
    ExitCode::from(code)
}

async fn execute(command: &Command, config: &Config, stop: CancellationToken) -> u8 {
    match command {
        Command::Run => match app::run(config, stop).await {
            Ok(()) => 0,
            Err(error) => fail("run", &error, false),
        },
        Command::Snapshot { json, .. } => match app::take_snapshot(config, &stop).await {
            Ok(manifest) => {
                if *json {
                    println!("{}", output::snapshot_json(&manifest));
                } else {
                    println!("{}", output::snapshot_line(&manifest));
                }
                0
            }
            Err(error) => fail("snapshot", &error, *json),
        },
        Command::Reference { json } => match app::take_reference(config, &stop).await {
            Ok(reference) => {
                if *json {
                    println!("{}", output::reference_json(&reference));
                } else {
                    print!("{}", output::reference_text(&reference));
                }
                0
            }
            Err(error) => fail("reference", &error, *json),
        },
        Command::Check { json } => {
            let results = check::check(config).await;
            let code = check::exit_code(&results);
            if *json {
                let outcome = if code == 0 { "ok" } else { "failed" };
                let error =
                    results.iter().find(|result| result.exit_code == code).and_then(|result| result.error.clone());
                let error = serde_json::to_value(error).unwrap_or(Value::Null);
                println!("{}", output::envelope("check", outcome, code, &error, json!({ "checks": results })));
            } else {
                print!("{}", check::text(&results));
            }
            code
        }
        // Has a configuration of its own, see `follow_logs`.
        Command::Member { .. } => fail("member", &Error::Internal("`member` takes no archive".to_owned()), false),
        Command::Node => fail("node", &Error::Internal("`node` takes no archive".to_owned()), false),
    }
}

fn fail(command: &str, error: &Error, as_json: bool) -> u8 {
    if as_json {
        println!("{}", output::failed(command, error));
    }
    eprintln!("error: {}", error.report());
    error.exit_code()
}

fn refuse(command: &Command, problems: &[ConfigProblem]) -> ExitCode {
    const USAGE: u8 = 2;
    let lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
    let (name, as_json) = match command {
        Command::Run => ("run", false),
        Command::Node => ("node", false),
        Command::Member { .. } => ("member", false),
        Command::Snapshot { json, .. } => ("snapshot", *json),
        Command::Reference { json } => ("reference", *json),
        Command::Check { json } => ("check", *json),
    };
    if as_json {
        let error = json!({
            "kind": "usage", "what": "the configuration cannot be used", "where": "command line, environment, file",
            "cause": lines.join("\n"), "next": "sidecar --help",
        });
        println!("{}", output::envelope(name, "refused", USAGE, &error, json!({})));
    }
    eprintln!("error: the configuration cannot be used\n{}\n  next: sidecar --help", lines.join("\n"));
    ExitCode::from(USAGE)
}

fn log_configuration(settings: &[(&'static str, String)]) {
    let shown: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
    tracing::info!(
        event = "starting",
        version = env!("CARGO_PKG_VERSION"),
        configuration = shown.join(" "),
        "sidecar starts"
    );
}

fn log_exposed_secrets(config: &Config) {
    for key in &config.exposed_secrets {
        tracing::warn!(
            event = "secret_exposed",
            key,
            "a secret was given as a flag, where every user of the machine can read it; use the environment"
        );
    }
}

/// The first signal asks to stop; the result fires with the second one, which does not wait for what is being done.
fn stop_on_signal(stop: CancellationToken) -> CancellationToken {
    let no_patience = CancellationToken::new();
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!(event = "no_signals", "signals cannot be received; the process can only be killed");
        return no_patience;
    };
    let again = no_patience.clone();
    tokio::spawn(async move {
        let signal = next_of(&mut terminate, &mut interrupt).await;
        tracing::info!(event = "stopping", signal, "stopping");
        stop.cancel();
        let signal = next_of(&mut terminate, &mut interrupt).await;
        tracing::warn!(event = "stopping_at_once", signal, "asked to stop again; not waiting for what is being done");
        again.cancel();
    });
    no_patience
}

async fn next_of(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
