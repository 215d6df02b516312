//! One file for each command: checked arguments in, a report out.

use recovery::Result;

use crate::args::Command;
use crate::context::Context;
use crate::output::Report;

mod completions;
mod doctor;
mod drill;
mod expire;
mod export;
mod find;
mod list;
mod pin;
mod plan;
mod release;
mod restore;
mod show;
mod status;
mod terraform;
mod verify;

pub async fn run(context: &Context, command: Command) -> Result<Report> {
    match command {
        Command::Status => status::run(context).await,
        Command::List => list::run(context).await,
        Command::Show(args) => show::run(context, &args).await,
        Command::Find(args) => find::run(context, args).await,
        Command::Plan(args) => plan::run(context, &args).await,
        Command::Restore(args) => Box::pin(restore::run(context, *args)).await,
        Command::Release(args) => release::run(&args).await,
        Command::Verify(args) => verify::run(context, &args).await,
        Command::Drill(args) => Box::pin(drill::run(context, *args)).await,
        Command::Export(args) => export::run(context, &args).await,
        Command::Expire(args) => expire::run(context, &args).await,
        Command::Pin(args) => pin::pin(context, &args).await,
        Command::Unpin(args) => pin::unpin(context, &args).await,
        Command::Freeze(args) => pin::freeze(context, &args).await,
        Command::Unfreeze => pin::unfreeze(context).await,
        Command::Doctor(args) => doctor::run(context, &args).await,
        Command::Completions(args) => completions::run(&args),
    }
}
