//! `kigo addons:test`: tries a definition in an installation of its own, which is made for that and taken
//! away again.
//!
//! Two processes: this one, and a child that is the installation. Whatever becomes of the child (it ends,
//! fails, is interrupted, dies), this one takes away what it left as `kigo purge` does; and what a test that
//! was killed itself left, the next one takes away before it begins. It refuses to touch the installation of
//! this machine: of that, it reads the stack, to save the time of making it.

mod client;
mod inside;
mod life;
mod place;
mod report;
mod steps;
mod witness;

use crate::config::{Config, ServerArgs};
use crate::data_dir::DataDir;
use addons::{Catalog, Definition};
use anyhow::{Context, Result, bail};
use ipnet::Ipv4Net;
use report::Report;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// What to try, and where.
#[derive(clap::Args, Debug)]
pub(crate) struct TestArgs {
    /// The definition, `name.toml`
    file: PathBuf,
    /// Only this plan; may be given several times [default: all]
    #[arg(long = "plan", value_name = "PLAN")]
    plans: Vec<String>,
    /// Seconds that one step may take
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    patience: u64,
    /// Where the test's own installation lives [default: the data directory, with -addons-test]
    #[arg(long, value_name = "DIR")]
    place: Option<PathBuf>,
    /// Addresses for its containers, an IPv4 network [default: one that is free]
    #[arg(long, value_name = "CIDR")]
    network: Option<Ipv4Net>,
    /// Set for the process that is the installation
    #[arg(long, value_name = "CIDR", hide = true)]
    inside: Option<Ipv4Net>,
    #[command(flatten)]
    server: ServerArgs,
}

/// What is tried.
struct Subject {
    definition: Definition,
    /// Names of its plans.
    plans: Vec<String>,
    patience: Duration,
}

/// How it went.
enum Ended {
    With(ExitStatus),
    Interrupted,
}

/// Tries the definition, and fails if anything does not work.
pub(crate) fn run(args: &TestArgs) -> Result<ExitCode> {
    let subject = Subject::read(args)?;
    let mut config = Config::resolve(&args.server)?;
    let installation = config.data_dir.clone();
    let named = args.inside.or(args.network);
    let claimed = if named.is_none() { Some(place::free_network()?) } else { None };
    let network = named.or(claimed.as_ref().map(|claimed| claimed.addresses)).context("no network")?;
    place::set_apart(&mut config, args.place.as_deref(), network)?;
    if args.inside.is_some() {
        return inside::run(config, subject);
    }
    let taken = DataDir::take(&config.data_dir)?;
    let before = place::clear(&config).context("what an earlier test left could not be taken away");
    let ended = before.and_then(|()| {
        place::borrow_stack(&installation, &config.data_dir);
        supervise(network)
    });
    let cleared = place::clear(&config).with_context(|| {
        format!(
            "what the test made could not be taken away; `kigo purge --data-dir {}` tries it again",
            config.data_dir.display()
        )
    });
    drop((taken, claimed));
    let ended = ended?;
    cleared?;
    match ended {
        Ended::With(status) if status.success() => {
            Report::last("all right; all that was made was taken away");
            Ok(ExitCode::SUCCESS)
        }
        Ended::With(status) if status.code().is_none() => bail!("the test itself ended with {status}"),
        Ended::With(_) => bail!("{} cannot be used as it is", args.file.display()),
        Ended::Interrupted => bail!("interrupted; all that was made was taken away"),
    }
}

impl Subject {
    /// Reads the definition, and says what is wrong with it.
    fn read(args: &TestArgs) -> Result<Self> {
        let shown = args.file.display().to_string();
        let text = std::fs::read_to_string(&args.file).with_context(|| format!("cannot read {shown}"))?;
        let definition = Catalog::parse(&shown, &text)?;
        let mut plans = Vec::new();
        for name in &args.plans {
            let whole = name.strip_prefix(&format!("{}:", definition.name)).unwrap_or(name);
            let Some(plan) = definition.plan(whole) else {
                let names: Vec<_> = definition.plans.iter().map(|plan| plan.name.as_str()).collect();
                bail!("{shown} has no plan {name}; its plans are: {}", names.join(", "));
            };
            plans.push(plan.name.clone());
        }
        if plans.is_empty() {
            plans.extend(definition.plans.iter().map(|plan| plan.name.clone()));
        }
        Ok(Self { definition, plans, patience: Duration::from_secs(args.patience.max(1)) })
    }
}

/// Runs this program once more, as the installation, and ends it when somebody wants this one to end.
fn supervise(network: Ipv4Net) -> Result<Ended> {
    let me = std::env::current_exe().context("cannot find this program's own file")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupts = Vec::new();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            interrupts.push(signal(kind)?);
        }
        let mut child = tokio::process::Command::new(me)
            .args(std::env::args_os().skip(1))
            .arg("--inside")
            .arg(network.to_string())
            .stdin(std::process::Stdio::null())
            // What is typed at the terminal is for this process, which still has to tidy up.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the test's installation")?;
        let interrupted =
            futures_util::future::select_all(interrupts.iter_mut().map(|one| Box::pin(one.recv())));
        tokio::select! {
            status = child.wait() => Ok(Ended::With(status?)),
            _ = interrupted => {
                child.kill().await?;
                Ok(Ended::Interrupted)
            }
        }
    })
}
