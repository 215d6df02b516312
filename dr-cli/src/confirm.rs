//! Asking before something is written.

use std::io::{self, BufRead, IsTerminal, Write};

use recovery::{Failure, FailureKind, Result};

/// Whether a person can be asked.
pub fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// `harm` is what the command does, as in "a restore writes into the destination"; `preview` the command that shows it.
pub fn refusal(harm: &str, preview: &str) -> Failure {
    Failure::new(FailureKind::Usage, format!("{harm} and needs --yes here"))
        .at("the command line")
        .because("there is no terminal on which it could ask")
        .then(format!("the same command with --yes; `{preview}` shows what it will do"))
}

/// Shows what will happen on stderr and waits for a typed `yes`.
pub async fn ask(text: String) -> Result<()> {
    let answer = tokio::task::spawn_blocking(move || -> io::Result<String> {
        let mut stderr = io::stderr().lock();
        write!(stderr, "{text}\nType yes to go on: ")?;
        stderr.flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(answer)
    });
    match answer.await {
        Ok(Ok(answer)) if answer.trim() == "yes" => Ok(()),
        _ => Err(Failure::new(FailureKind::Cancelled, "nothing was done")
            .at("the question")
            .because("the answer was not `yes`")
            .then("the same command again, or with --yes")),
    }
}
