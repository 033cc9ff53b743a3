//! The one binary: `kigo server`, the programs it starts itself as, and a CLI of its own.

mod config;
mod data_dir;
mod env;
mod lint;
mod purge;
mod reserve;
mod server;
mod stack;
mod trial;

use clap::{Parser, Subcommand};
use config::{Config, ServerArgs};
use std::process::ExitCode;

/// Commands that concern this machine's server. Every other word is a command of the CLI, which
/// talks to a server over its API.
#[derive(Debug, Parser)]
#[command(name = "kigo", version, about = "A Heroku that you run yourself")]
struct Args {
    #[command(subcommand)]
    command: Local,
}

#[derive(Debug, Subcommand)]
enum Local {
    /// Run the platform
    Server(ServerArgs),
    /// Print the shell lines that point the heroku CLI, git and curl at this machine's server
    Env(ServerArgs),
    /// Prepare what builds and dynos are made of
    #[command(subcommand)]
    Stack(StackCommand),
    /// Stop all dynos and remove everything below the data directory
    Purge {
        #[command(flatten)]
        server: ServerArgs,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Say what is wrong with definitions of add-ons, all of it at once
    #[command(name = "addons:lint")]
    Lint {
        /// Definitions, `name.toml`
        #[arg(required = true)]
        files: Vec<std::path::PathBuf>,
    },
    /// Try a definition of an add-on: order it, use it, back it up, restart it, give it up
    #[command(name = "addons:test")]
    Test(trial::TestArgs),
    /// Called by git
    #[command(subcommand, hide = true)]
    Hook(Hook),
}

#[derive(Debug, Subcommand)]
enum StackCommand {
    /// Make the stack's images now instead of at the server's first start
    Prepare(ServerArgs),
    /// Make the stack's images anew, with Debian's updates, while no server runs
    Refresh(ServerArgs),
}

#[derive(Debug, Subcommand)]
enum Hook {
    /// Builds what was pushed before git accepts it
    PreReceive,
}

/// First words that are commands of this machine.
const LOCAL: &[&str] =
    &["server", "env", "stack", "purge", "addons:lint", "addons:test", "hook", "--version", "-V"];

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let first = words.next().and_then(|word| word.into_string().ok()).unwrap_or_default();
    // Shims are forked from this process, which must have one thread and no more memory than it
    // needs: it must reach its own code before anything else is set up.
    if first == "shim" {
        container::shim::main(words);
    }
    if !LOCAL.contains(&first.as_str()) {
        return cli::main();
    }
    let outcome = match Args::parse().command {
        Local::Server(args) => Config::resolve(&args).and_then(|config| server::run(&config)),
        Local::Env(args) => Config::resolve(&args).and_then(|config| env::print(&config)),
        Local::Stack(StackCommand::Prepare(args)) => {
            Config::resolve(&args).and_then(|config| stack::prepare(&config))
        }
        Local::Stack(StackCommand::Refresh(args)) => {
            Config::resolve(&args).and_then(|config| stack::refresh(&config))
        }
        Local::Purge { server, yes } => {
            Config::resolve(&server).and_then(|config| purge::purge(&config, yes))
        }
        Local::Lint { files } => lint::lint(&files),
        Local::Test(args) => match trial::run(&args) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Local::Hook(Hook::PreReceive) => return git::hook::pre_receive(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the last word of a failed command")]
fn complain(error: &anyhow::Error) {
    eprintln!("kigo: {error:#}");
}
