//! `kigo` as a command line: Heroku's verbs, spoken to a Kigo server, for machines without Node.
//!
//! Commands are named as in the official CLI, with colons or spaces (`config:set`, `config set`);
//! each is one file in `commands/`: its arguments, and `run`. Everything that is shown goes
//! through the `printer`: results to standard output, progress and warnings to standard error.
//!
//! Exit status: 0 for success, 1 when the server or this machine refused, 2 for a command line
//! that makes no sense; `run --exit-code` ends with the status of the command in the dyno.
//!
//! This crate refuses to run a server, to know the database, and to send a token that was made
//! for Heroku to any server that was not named as its replacement.

mod apps;
mod argv;
mod commands;
mod container_tool;
mod context;
mod git;
mod netrc;
mod printer;
mod settings;
mod terminal;
mod time;

use anyhow::Context as _;
use clap::{CommandFactory, Parser};
use commands::Command;
use context::Context;
use printer::Printer;
use settings::Settings;
use std::process::ExitCode;

/// A Heroku that you run yourself: manage apps on a Kigo server.
///
/// The server is the one in KIGO_API_URL, else in HEROKU_HOST, else http://localhost:5000. The
/// token is that of KIGO_API_KEY, else of HEROKU_API_KEY together with HEROKU_HOST, else the one
/// that `kigo login` kept in ~/.netrc. On the server's machine, `kigo server`, `kigo env` and
/// `kigo purge` run it.
#[derive(Debug, Parser)]
#[command(name = "kigo", version, disable_help_subcommand = true, arg_required_else_help = true)]
pub(crate) struct Line {
    #[command(subcommand)]
    command: Command,
}

/// How a command ended: with this status, if it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Done,
    Status(u8),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let words = argv::canonical(std::env::args_os().collect());
    let line = match Line::try_parse_from(words) {
        Ok(line) => line,
        Err(error) => {
            // Help goes to standard output with status 0, mistakes to standard error with 2.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let printer = Printer::terminal();
    let settings = Settings::from_environment();
    let outcome = block_on(run(line, settings, &printer));
    match outcome {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Status(status)) => ExitCode::from(status),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            printer.error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(line: Line, settings: Settings, printer: &Printer) -> anyhow::Result<Ending> {
    let context = Context::new(settings, printer);
    line.command.run(&context).await
}

fn block_on(future: impl Future<Output = anyhow::Result<Ending>>) -> anyhow::Result<Ending> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start")?;
    let outcome = runtime.block_on(future);
    // A read of standard input that nobody waits for any more must not hold up the end.
    runtime.shutdown_background();
    outcome
}

/// Whoever read our output has seen enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

/// The whole grammar, for help and completions.
pub(crate) fn grammar() -> clap::Command {
    Line::command()
}

/// Runs words as a user types them; what is printed is kept.
#[cfg(test)]
pub(crate) async fn run_words(
    words: &[&str],
    settings: Settings,
) -> (Result<Ending, String>, String, String) {
    let all = std::iter::once("kigo").chain(words.iter().copied()).map(Into::into).collect();
    let (printer, out, err) = Printer::kept();
    let outcome = match Line::try_parse_from(argv::canonical(all)) {
        Ok(line) => run(line, settings, &printer).await.map_err(|error| {
            printer.error(&error);
            format!("{error:#}")
        }),
        Err(error) => Err(error.to_string()),
    };
    (outcome, out.text(), err.text())
}

#[cfg(test)]
mod tests;
