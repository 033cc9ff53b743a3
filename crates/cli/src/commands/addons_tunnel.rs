//! `kigo addons:tunnel`.

use super::{AppArgs, Context, Ending, Result};
use anyhow::{Context as _, bail};
use client::Client;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Stdio;
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// Reach an add-on from this machine, by way of the API
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The add-on: its name, an attachment like DATABASE, or a config var like DATABASE_URL
    #[arg(value_name = "ADDON")]
    addon: String,
    /// A command that is run with the add-on's config vars as they are on this machine, and ends the tunnel
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// The port on this machine [default: any]
    #[arg(short, long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let found = client.addons_resolve(&app, &args.addon).await?;
    let [addon] = found.as_slice() else {
        let names: Vec<_> = found.iter().map(|addon| addon.name.as_str()).collect();
        bail!("{} may mean several add-ons: {}. Name one of them.", args.addon, names.join(", "));
    };
    let vars = client.config_vars(&app).await?;
    let listener = TcpListener::bind(("127.0.0.1", args.port)).await;
    let listener = listener.with_context(|| format!("cannot listen on port {}", args.port))?;
    let place = listener.local_addr()?;
    let local: BTreeMap<String, String> = addon
        .config_vars
        .iter()
        .filter_map(|name| Some((name.clone(), here(vars.get(name)?, place)?)))
        .collect();
    let serving = serve(context, listener, client, addon.name.clone());
    if args.command.is_empty() {
        context.printer.line(format!("{} is at {place} until you press Ctrl-C.", addon.name))?;
        for (name, value) in &local {
            context.printer.line(format!("{name}={value}"))?;
        }
        serving.await;
    }
    let mut command = tokio::process::Command::new(&args.command[0]);
    command.args(&args.command[1..]).envs(&local).stdin(Stdio::inherit()).kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("cannot run {}", args.command[0]))?;
    let status = tokio::select! {
        status = child.wait() => status?,
        never = serving => never,
    };
    Ok(Ending::Status(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)))
}

/// Joins each connection with one of its own through the API, for ever.
async fn serve(context: &Context<'_>, listener: TcpListener, client: Client, addon: String) -> ! {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (client, addon) = (client.clone(), addon.clone());
                tokio::spawn(async move { join(stream, &client, &addon).await });
            }
            Err(error) => {
                context.printer.warn(&format!("a connection was not taken: {error}"));
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn join(mut stream: TcpStream, client: &Client, addon: &str) {
    // What goes wrong is seen by whoever connected: the connection ends.
    if let Ok(mut tunnel) = client.addon_tunnel(addon).await {
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut tunnel).await;
    }
}

/// A service's address with this machine's end of the tunnel in it; `None` for what is no address.
fn here(value: &str, place: SocketAddr) -> Option<String> {
    let mut url = Url::parse(value).ok()?;
    url.host()?;
    url.set_host(Some(&place.ip().to_string())).ok()?;
    url.set_port(Some(place.port())).ok()?;
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_to_this_machine() {
        let place = "127.0.0.1:4321".parse().expect("an address");
        for (value, expected) in [
            ("postgres://u1:p1@10.201.192.1:5432/d1", Some("postgres://u1:p1@127.0.0.1:4321/d1")),
            ("rediss://:p1@10.201.192.2:6380", Some("rediss://:p1@127.0.0.1:4321")),
            ("a token", None),
            ("mailto:a@b", None),
        ] {
            assert_eq!(here(value, place).as_deref(), expected);
        }
    }
}
