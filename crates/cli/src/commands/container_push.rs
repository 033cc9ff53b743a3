//! `kigo container:push`.

use super::shared::require_container_stack;
use super::{AppArgs, Context, Ending, Result};
use crate::container_tool::Tool;
use anyhow::{Context as _, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Build images from Dockerfiles here and push them to an app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The process type that runs the image; with --recursive, several
    #[arg(value_name = "TYPE")]
    process_types: Vec<String>,
    /// Build every Dockerfile.TYPE below this folder, or those of the named types
    #[arg(short = 'R', long)]
    recursive: bool,
    /// The folder that builds see, in place of the Dockerfile's own
    #[arg(long, value_name = "PATH")]
    context_path: Option<PathBuf>,
    /// Build arguments: NAME=VALUE, comma-separated
    #[arg(long, value_name = "ARGUMENTS", value_delimiter = ',')]
    arg: Vec<String>,
    #[command(flatten)]
    app: AppArgs,
}

/// What is looked for in no Dockerfile's name.
const PASSED_OVER: [&str; 2] = ["node_modules", ".git"];
/// Nested folders that are looked into.
const DEPTH: usize = 32;

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let folder = context.settings.directory.clone().unwrap_or_else(|| PathBuf::from("."));
    let jobs = jobs(&args, &folder)?;
    let tool = Tool::find(&context.settings)?;
    require_container_stack(&context.client()?, &app).await?;
    for (process_type, dockerfile) in &jobs {
        context.printer.heading(format!("Building {process_type} ({})", dockerfile.display()))?;
        let own = dockerfile.parent().unwrap_or(&folder);
        let seen = args.context_path.as_deref().unwrap_or(own);
        tool.build(&tool.image(&app, process_type), dockerfile, seen, &args.arg)?;
    }
    for process_type in jobs.keys() {
        context.printer.heading(format!("Pushing {process_type}"))?;
        tool.push(&tool.image(&app, process_type))?;
    }
    let types: Vec<&str> = jobs.keys().map(String::as_str).collect();
    let (images, have) = if jobs.len() == 1 { ("image", "has") } else { ("images", "have") };
    context.printer.line(format!(
        "Your {images} {have} been pushed. Release with: kigo container:release {} --app {app}",
        types.join(" ")
    ))?;
    Ok(Ending::Done)
}

/// Which Dockerfile each process type is built from.
fn jobs(args: &Args, folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let folder = std::path::absolute(folder)?;
    if !args.recursive {
        let [process_type] = args.process_types.as_slice() else {
            bail!("Name one process type, for example web, or use --recursive.");
        };
        let dockerfile = folder.join("Dockerfile");
        if !dockerfile.is_file() {
            bail!("There is no Dockerfile in {}.", folder.display());
        }
        return Ok(BTreeMap::from([(process_type.clone(), dockerfile)]));
    }
    let mut found = BTreeMap::new();
    find(&folder, DEPTH, &mut found)?;
    if found.is_empty() {
        bail!("There is no Dockerfile.TYPE below {}.", folder.display());
    }
    if let Some(missing) = args.process_types.iter().find(|name| !found.contains_key(*name)) {
        bail!("There is no Dockerfile.{missing} below {}.", folder.display());
    }
    found.retain(|name, _| args.process_types.is_empty() || args.process_types.contains(name));
    Ok(found)
}

fn find(folder: &Path, depth: usize, found: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    let cannot = || format!("cannot look into {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let (name, kind) = (entry.file_name(), entry.file_type().with_context(cannot)?);
        let Some(name) = name.to_str() else { continue };
        if kind.is_dir() && depth > 0 && !PASSED_OVER.contains(&name) {
            find(&entry.path(), depth - 1, found)?;
        }
        let Some(process_type) = name.strip_prefix("Dockerfile.").filter(|_| kind.is_file()) else { continue };
        if let Some(other) = found.insert(process_type.to_owned(), entry.path()) {
            bail!("There are two for {process_type}: {} and {}.", other.display(), entry.path().display());
        }
    }
    Ok(())
}
