//! How fast lines are read, by CPU time of one core: `cargo run --release -p slowlog --example speed [FILE]`.
//!
//! Without a file the lines of the tests are used, which mongod 6.0.5 wrote.

use std::error::Error;
use std::time::Duration;

use slowlog::{Aggregate, Limits, Reader};

const BYTES: usize = 200 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let slow = match std::env::args().nth(1) {
        Some(path) => std::fs::read(path)?,
        None => include_bytes!("../tests/lines/6.0.5.log").to_vec(),
    };
    let others = include_bytes!("../tests/lines/6.0.5-other.log").to_vec();
    println!("slow queries, counted: {:>6.0} MB/s", speed(&slow)?);
    println!("other messages:        {:>6.0} MB/s", speed(&others)?);
    Ok(())
}

/// Lines are found, read and counted, as the node agent does it.
fn speed(lines: &[u8]) -> Result<f64, Box<dyn Error>> {
    let reader = Reader::new(Some("tidemark"));
    let mut aggregate = Aggregate::new(Limits::default());
    let rounds = BYTES / lines.len().max(1);
    let begin = cpu_seconds()?;
    for _ in 0..rounds {
        let mut rest = lines;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            aggregate.observe(&reader.read(line), Duration::ZERO);
            rest = after.get(1..).unwrap_or_default();
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a few hundred megabytes")]
    let megabytes = (rounds * lines.len()) as f64 / 1e6;
    assert_eq!(aggregate.lines().malformed, 0);
    Ok(megabytes / (cpu_seconds()? - begin))
}

/// On a shared machine the time on the wall is also that of others.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let nanos = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanos: f64 = nanos.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanos / 1e9)
}
