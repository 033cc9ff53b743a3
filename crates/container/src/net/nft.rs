//! Talking to the kernel's packet filter through `nft`.

use super::{InstanceTag, Lease, NetworkError, rules};
use serde::Deserialize;
use std::io::ErrorKind;
use std::process::{Output, Stdio};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Applies a script as one transaction.
pub(super) async fn apply(script: &str) -> Result<(), NetworkError> {
    run("load the rules", &["-f", "-"], script).await.map(drop)
}

/// Lets a container through to what it may reach. Doing it again does no harm.
pub(super) async fn open(tag: InstanceTag, lease: &Lease) -> Result<(), NetworkError> {
    change("add", tag, lease).await
}

/// Takes that back.
pub(super) async fn close(tag: InstanceTag, lease: &Lease) -> Result<(), NetworkError> {
    // There is no "delete if it is there" in older versions; adding first makes sure that it is.
    change("add", tag, lease).await?;
    change("delete", tag, lease).await
}

async fn change(verb: &str, tag: InstanceTag, lease: &Lease) -> Result<(), NetworkError> {
    if lease.reach.is_empty() {
        return Ok(());
    }
    let (table, from) = (tag.table(), lease.address);
    let ways: Vec<_> = lease.reach.iter().map(|to| format!("{from} . {} . {}", to.ip(), to.port())).collect();
    apply(&format!("{verb} element inet {table} {} {{ {} }}\n", rules::REACH, ways.join(", "))).await
}

/// Deletes the installation's table; none is no error.
pub(super) async fn delete(tag: InstanceTag) -> Result<(), NetworkError> {
    let table = tag.table();
    apply(&format!("table inet {table} {{}}\ndelete table inet {table}\n")).await
}

/// Whether the installation's table is there.
pub(super) async fn is_loaded(tag: InstanceTag) -> Result<bool, NetworkError> {
    let listing = run("list tables", &["list", "tables", "inet"], "").await?;
    let table = format!("table inet {}", tag.table());
    Ok(String::from_utf8_lossy(&listing.stdout).lines().any(|line| line == table))
}

/// One sentence for each chain of somebody else that drops what passes through the host and does
/// not know this installation's interfaces. An accept in our own table does not overrule such a
/// chain: every table has its say. What cannot be read is not reported.
pub(super) async fn foreign_drops(tag: InstanceTag) -> Vec<String> {
    let Ok(listing) = run("list chains", &["-j", "list", "chains"], "").await else { return Vec::new() };
    let mut sentences = Vec::new();
    for chain in forward_drops(&listing.stdout, &tag.table()) {
        let rules = run("list rules", &["list", "table", &chain.family, &chain.table], "").await;
        let rules =
            rules.map(|rules| String::from_utf8_lossy(&rules.stdout).into_owned()).unwrap_or_default();
        if !rules.contains(&tag.interface_prefix()) {
            sentences.push(chain.advice(tag, rules.contains("chain DOCKER-USER")));
        }
    }
    sentences
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Chain {
    family: String,
    table: String,
    name: String,
    hook: Option<String>,
    policy: Option<String>,
}

impl Chain {
    fn advice(&self, tag: InstanceTag, docker: bool) -> String {
        let prefix = tag.interface_prefix();
        let Self { family, table, name, .. } = self;
        let remedy = if family == "ip" && table == "filter" {
            let chain = if docker { "DOCKER-USER" } else { name };
            format!("iptables -I {chain} -i {prefix}+ -j ACCEPT; iptables -I {chain} -o {prefix}+ -j ACCEPT")
        } else {
            format!(
                "nft insert rule {family} {table} {name} iifname '{prefix}*' accept; \
                 nft insert rule {family} {table} {name} oifname '{prefix}*' accept"
            )
        };
        format!(
            "this host's firewall (chain {name} of table {family} {table}) drops what passes through, \
             so containers cannot reach the outside; allow them with: {remedy}"
        )
    }
}

/// The chains in nft's listing that drop forwarded packets by default, but for those of `own`.
/// See libnftables-json(5).
fn forward_drops(listing: &[u8], own: &str) -> Vec<Chain> {
    #[derive(Deserialize)]
    struct Listing {
        nftables: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        chain: Option<Chain>,
    }
    let Ok(listing) = serde_json::from_slice::<Listing>(listing) else { return Vec::new() };
    let chains = listing.nftables.into_iter().filter_map(|entry| entry.chain);
    chains
        .filter(|chain| chain.hook.as_deref() == Some("forward") && chain.policy.as_deref() == Some("drop"))
        .filter(|chain| matches!(chain.family.as_str(), "ip" | "inet") && chain.table != own)
        .collect()
}

async fn run(doing: &'static str, arguments: &[&str], input: &str) -> Result<Output, NetworkError> {
    let spawned = Command::new("nft")
        .args(arguments)
        // A service may be started without the directories of administrators' programs.
        .env("PATH", search_path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = match spawned {
        Err(none) if none.kind() == ErrorKind::NotFound => return Err(NetworkError::NoNft),
        result => result.map_err(NetworkError::io("run nft"))?,
    };
    if let Some(mut stdin) = child.stdin.take() {
        // If it does not read, it says why on its standard error.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = child.wait_with_output().await.map_err(NetworkError::io("run nft"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(NetworkError::Nft { doing, message: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
}

fn search_path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn finds_chains_that_drop_what_passes_through() {
        let listing = br#"{"nftables": [
            {"metainfo": {"version": "1.0.6", "release_name": "x", "json_schema_version": 1}},
            {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "handle": 1, "type": "filter",
                       "hook": "forward", "prio": 0, "policy": "drop"}},
            {"chain": {"family": "ip", "table": "filter", "name": "DOCKER-USER", "handle": 2}},
            {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "handle": 3, "type": "filter",
                       "hook": "input", "prio": 0, "policy": "drop"}},
            {"chain": {"family": "ip6", "table": "filter", "name": "FORWARD", "handle": 4, "type": "filter",
                       "hook": "forward", "prio": 0, "policy": "drop"}},
            {"chain": {"family": "inet", "table": "own", "name": "through", "handle": 5, "type": "filter",
                       "hook": "forward", "prio": 0, "policy": "drop"}}]}"#;
        let found = forward_drops(listing, "own");
        assert_eq!(found.iter().map(|chain| chain.name.as_str()).collect::<Vec<_>>(), ["FORWARD"]);
        let tag = InstanceTag::of(Path::new("/no/such/kigo"));
        let advice = found[0].advice(tag, true);
        assert!(advice.contains(&format!("iptables -I DOCKER-USER -i k{tag}+ -j ACCEPT")), "{advice}");
        assert!(forward_drops(b"nonsense", "own").is_empty());
    }
}
