//! `kigo info`.

use super::{AppArgs, Context, Ending, Result};
use serde_json::json;

/// Show what an app is and has
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The app, if not named with --app
    name: Option<String>,
    #[command(flatten)]
    app: AppArgs,
    /// Print KEY=value lines for a shell
    #[arg(short, long)]
    shell: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let name = match args.name {
        Some(name) => name,
        None => args.app.resolve(context)?,
    };
    let client = context.client()?;
    let app = client.app(&name).await?;
    let (dynos, collaborators) = tokio::try_join!(client.dynos(&name), client.collaborators(&name))?;
    if args.json {
        let value = json!({ "app": app, "dynos": dynos, "collaborators": collaborators });
        context.printer.json(&value)?;
        return Ok(Ending::Done);
    }
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    for dyno in &dynos {
        *counts.entry(&dyno.process_type).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
    let others = collaborators.iter().map(|one| one.user.email.as_str()).filter(|email| *email != app.owner.email);
    let pairs = [
        ("Collaborators", others.collect::<Vec<_>>().join(", ")),
        ("Dynos", counts.join(", ")),
        ("Git URL", app.git_url.clone()),
        ("Maintenance", if app.maintenance { "on" } else { "off" }.to_owned()),
        ("Owner", app.owner.email.clone()),
        ("Region", app.region.name.clone()),
        ("Repo Size", app.repo_size.map(size).unwrap_or_default()),
        ("Slug Size", app.slug_size.map(size).unwrap_or_default()),
        ("Stack", app.stack.name.clone()),
        ("Web URL", app.web_url.clone().unwrap_or_default()),
    ];
    if args.shell {
        for (key, value) in pairs {
            let key = key.to_ascii_lowercase().replace(' ', "_");
            context.printer.line(format!("{key}={}", super::shared::quote(&value)))?;
        }
        return Ok(Ending::Done);
    }
    context.printer.heading(&app.name)?;
    let pairs: Vec<_> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    context.printer.pairs(&pairs)?;
    Ok(Ending::Done)
}

/// Bytes in the largest unit that leaves a whole part.
fn size(bytes: u64) -> String {
    let mut rest = bytes as f64;
    for unit in ["B", "KB", "MB"] {
        if rest < 1024.0 {
            return format!("{rest:.0} {unit}");
        }
        rest /= 1024.0;
    }
    format!("{rest:.1} GB")
}
