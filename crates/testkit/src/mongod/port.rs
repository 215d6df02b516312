//! Ports for test servers: held by a lock file for as long as the server may come back to them.
//!
//! A killed member must find its port free when it restarts, so a port that is merely unbound is not free: every test
//! process takes an advisory lock per port. They lie below Linux's range for outgoing connections, which would
//! otherwise take them at any moment.

use std::fs::{File, OpenOptions};
use std::net::TcpListener;

use anyhow::{Context, Result, bail};
use rand::RngExt;

const RANGE: std::ops::Range<u16> = 18_000..32_000;

/// A port that no other test process uses until this value is dropped.
#[derive(Debug)]
pub struct PortLease {
    port: u16,
    _lock: File,
}

impl PortLease {
    pub fn take() -> Result<Self> {
        let folder = std::env::temp_dir().join("tidemark-test-ports");
        std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        for _ in 0..500 {
            let port = rand::rng().random_range(RANGE);
            let path = folder.join(port.to_string());
            let lock = OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(false)
                .open(&path)
                .with_context(|| format!("open {}", path.display()))?;
            if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return Ok(Self { port, _lock: lock });
            }
        }
        bail!("no free port between {} and {}", RANGE.start, RANGE.end)
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}
