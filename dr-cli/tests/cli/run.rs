//! Running the binary.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::archive::Archive;

pub struct Finished {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// The one object on stdout.
    pub fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}\nstdout: {}\nstderr: {}", self.stdout, self.stderr));
        assert_eq!(value["schema"], 1);
        assert_eq!(value["exit_code"], self.code, "{value}");
        value
    }

    /// The error on stderr: all four parts, and `parts` somewhere in it.
    pub fn assert_error(&self, code: i32, parts: &[&str]) -> &Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        for part in ["\n  where: ", "\n  cause: ", "\n  next: "].iter().chain(parts) {
            assert!(self.stderr.contains(part), "`{part}` is not in: {}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    pub fn assert_ok(&self) -> &Self {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "stdout: {}", self.stdout);
        self
    }
}

/// Runs `dr-cli` with nothing from the environment but `variables`.
pub fn run_with(variables: &[(&str, &str)], args: &[&str]) -> Finished {
    let output = Command::new(env!("CARGO_BIN_EXE_dr-cli"))
        .args(args)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Finished { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

pub fn run(args: &[&str]) -> Finished {
    run_with(&[], args)
}

impl Archive {
    pub fn run(&self, args: &[&str]) -> Finished {
        run_with(&[("TIDEMARK_ARCHIVE", &self.url())], args)
    }

    /// The object that a command prints with `--json`; what differs from run to run is replaced.
    pub fn json(&self, args: &[&str]) -> Value {
        let mut with_json = args.to_vec();
        with_json.push("--json");
        let mut value = self.run(&with_json).json();
        redact(&mut value, &self.url());
        value
    }
}

fn redact(value: &mut Value, location: &str) {
    match value {
        Value::String(text) => *text = text.replace(location, "[archive]"),
        Value::Array(items) => items.iter_mut().for_each(|item| redact(item, location)),
        Value::Object(fields) => {
            for (name, field) in fields {
                // By the wall clock, or by the compressor.
                let is_volatile = name == "archived_through_age_seconds"
                    || matches!(name.as_str(), "stored_bytes" | "predicted_seconds" | "checked_percent");
                if is_volatile && field.is_number() {
                    *field = Value::String(format!("[{name}]"));
                } else {
                    redact(field, location);
                }
            }
        }
        _ => {}
    }
}
