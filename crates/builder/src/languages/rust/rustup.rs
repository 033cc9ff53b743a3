//! Toolchains that Debian does not have: rustup fetches them, from where this host's settings say,
//! and checks them. Each is made once for all apps, as a layer that only builds have.

use super::app::App;
use super::failed;
use super::versions::{Channel, Version};
use super::words::RustError;
use crate::BuildError;
use crate::build::Context;
use crate::cache::Shared;
use crate::errand::{self, Errand};
use image::Layer;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

/// Where such a toolchain is.
pub(super) const ROOT: &str = "/usr/local/rust";

/// Finds the toolchain, or fetches it.
pub(super) async fn install(
    context: &mut Context<'_>,
    app: &App,
    version: &Version,
    channel: &Channel,
) -> Result<Layer, BuildError> {
    let shared = Shared::named(name(app, channel, Timestamp::now()));
    let env = [
        ("KIGO_RUST_CHANNEL", channel.to_string()),
        ("KIGO_RUST_COMPONENTS", app.components.join(",")),
        ("KIGO_RUST_TARGETS", app.targets.join(",")),
    ];
    let errand = Errand {
        script: ("rustup.sh", include_str!("rustup.sh")),
        env: env.map(|(name, value)| (name.to_owned(), value)).into(),
        packages: ["rustup".to_owned()].into(),
        layers: Vec::new(),
        pipes: Vec::new(),
    };
    let making = format!("Downloading and installing Rust {channel} with rustup...");
    match errand::once(context, &shared, &making, errand).await? {
        Ok(layer) => Ok(layer),
        Err(ended) => Err(failed(RustError::Rustup {
            channel: channel.to_string(),
            origin: version.asked.as_ref().map(|asked| asked.origin),
            why: ended.told("why")?.unwrap_or_default(),
            debian: context.stack.runtimes("rust").map(|runtime| runtime.version.clone()).collect(),
        })),
    }
}

/// Says all that decides what is installed; for a channel that moves, also the day.
fn name(app: &App, channel: &Channel, now: Timestamp) -> String {
    let set = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
    let more = Sha256::digest(format!("{:?} {:?}", set(&app.components), set(&app.targets)));
    let day = if channel.moves() { now.strftime("-%Y-%m-%d").to_string() } else { String::new() };
    format!("rust-{channel}{day}-{}", hex::encode(more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_is_named_by_what_decides_it() {
        let now = Timestamp::UNIX_EPOCH;
        let app = App::default();
        let other = App { targets: vec!["wasm32-unknown-unknown".into()], ..App::default() };
        let exact = Channel::Number(1, 90, Some(0));
        assert!(name(&app, &exact, now).starts_with("rust-1.90.0-"));
        assert!(name(&app, &Channel::Stable, now).starts_with("rust-stable-1970-01-01-"));
        assert_ne!(name(&app, &exact, now), name(&other, &exact, now));
    }
}
