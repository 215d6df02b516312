//! Processes whose wall clock is off: a library that is loaded before the C library and shifts what it tells. Monotonic
//! clocks are left alone, as setting a machine's clock leaves them alone.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

const VARIABLE: &str = "TIDEMARK_TEST_CLOCK_SECONDS";
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long shift(void) {
    const char *text = getenv("TIDEMARK_TEST_CLOCK_SECONDS");
    return text ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += shift();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *place) {
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    if (place) *place = exact.tv_sec;
    return exact.tv_sec;
}
"#;

pub struct ShiftedClock {
    folder: TempDir,
}

/// For processes whose clock is off by so much.
pub struct Environment {
    library: String,
    seconds: String,
}

impl ShiftedClock {
    /// By `cc`, which links Rust programs, too.
    pub fn build() -> Result<Self> {
        let folder = testkit::mongod::temp_folder("clock")?;
        let source = folder.path().join("clock.c");
        std::fs::write(&source, SOURCE)?;
        let clock = Self { folder };
        let mut compiler = std::process::Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(clock.library()).arg(&source).arg("-ldl");
        let compiled = compiler.output().context("run cc")?;
        ensure!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        Ok(clock)
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("clock.so")
    }

    pub fn environment(&self, seconds: i64) -> Environment {
        Environment { library: self.library().display().to_string(), seconds: seconds.to_string() }
    }
}

impl Environment {
    pub fn each(&self) -> [(&str, &str); 2] {
        [("LD_PRELOAD", &self.library), (VARIABLE, &self.seconds)]
    }
}
