//! What a reader needs to know about the machine to judge the table.

use std::process::Command;

use anyhow::Result;

use crate::programs::size;

pub fn describe() -> Result<Vec<String>> {
    let field = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = field("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    let (major, minor) = testkit::mongod::version(&testkit::mongod::binary()?)?;
    Ok(vec![
        format!("date: {}", output("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        format!("revision: {}", output("git", &["describe", "--always", "--dirty"])),
        format!(
            "machine: {cores} cores of {model}, {} of memory, Linux {}",
            size(memory.unwrap_or(0) * 1024),
            kernel.trim()
        ),
        format!("load average when the run began: {load} (a quiet machine has less than 0.5)"),
        format!("server: mongod {major}.{minor}, one member, 256 MiB of cache, on the same machine"),
    ])
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(|_| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
