//! `kigo addons:register`.

use super::{Context, Ending, Result};
use anyhow::Context as _;
use std::path::PathBuf;
use wire::partner::{Plan, Register};

/// Register a partner's service by its addon-manifest.json, or what has changed about it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The manifest, as for Heroku
    #[arg(value_name = "FILE")]
    manifest: PathBuf,
    /// A plan and its price in US cents a month, NAME or NAME:CENTS; may be repeated, the first is the default
    #[arg(long = "plan", value_name = "PLAN", value_parser = plan)]
    plans: Vec<(String, u64)>,
    /// Use the manifest's addresses for tests
    #[arg(long)]
    test: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let shown = args.manifest.display();
    let manifest = std::fs::read_to_string(&args.manifest).with_context(|| format!("cannot read {shown}"))?;
    let plans = args.plans.into_iter().map(|(name, cents)| Plan { name, cents }).collect();
    let register = Register { manifest, plans, test: args.test };
    let partner = context.client()?.partner_register(&register).await?;
    if args.json {
        context.printer.json(&partner)?;
        return Ok(Ending::Done);
    }
    context.printer.line(format!("{} is registered, at {}.", partner.name, partner.base_url))?;
    context.printer.line(format!("Plans: {}", partner.plans.join(", ")))?;
    if let Some(secret) = &partner.client_secret {
        context.printer.line(format!("Client secret, for the partner: {secret}"))?;
    }
    Ok(Ending::Done)
}

/// `small` or `small:900`.
fn plan(text: &str) -> std::result::Result<(String, u64), String> {
    match text.split_once(':') {
        None => Ok((text.to_owned(), 0)),
        Some((name, cents)) => match cents.parse() {
            Ok(cents) => Ok((name.to_owned(), cents)),
            Err(_) => Err(format!("{cents:?} is no number of cents")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_have_prices() {
        for (text, expected) in [
            ("small", Ok(("small".to_owned(), 0))),
            ("small:900", Ok(("small".to_owned(), 900))),
            ("small:$9", Err("\"$9\" is no number of cents".to_owned())),
        ] {
            assert_eq!(plan(text), expected);
        }
    }
}
