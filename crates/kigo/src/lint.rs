//! `kigo addons:lint`: whether files are definitions of add-ons, without a server.

use addons::Catalog;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// Says of each file what is wrong with it, all of it at once; an error if anything is.
#[expect(clippy::print_stdout, reason = "this is what the command is for")]
pub(crate) fn lint(files: &[PathBuf]) -> Result<()> {
    let (mut catalog, mut bad) = (Catalog::load(None)?, 0);
    let built_in = Catalog::load(None)?;
    for file in files {
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
        // What is built in may be looked at as well.
        let own = Catalog::parse(&shown, &text).is_ok_and(|one| built_in.service(&one.name) == Some(&one));
        match if own { Ok(()) } else { catalog.add(&shown, &text) } {
            Ok(()) => println!("{shown}: all right"),
            Err(error) => {
                bad += 1;
                println!("{error}");
            }
        }
    }
    if bad > 0 {
        bail!("{bad} of {} cannot be used", files.len());
    }
    Ok(())
}
