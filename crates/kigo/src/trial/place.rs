//! Where a test lives: a data directory and a network of its own.

use crate::config::Config;
use crate::server::parts;
use anyhow::{Context, Result, bail};
use engine_local::Local;
use image::ImageStore;
use ipnet::Ipv4Net;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

/// What stays from one test to the next, for it takes long to make: the stack, and packages on it. The
/// lock stays because it is held.
const KEPT: [&str; 5] = ["blobs", "layers", "stacks", "cache", "lock"];

/// Networks for tests. None of them is a server's unless its operator says so.
const NETWORKS: std::ops::RangeInclusive<u8> = 202..=209;

/// Turns the settings of this machine's server into those of a test: a place and a network of its own,
/// nobody to mail to, backups on its own disk.
pub(super) fn set_apart(config: &mut Config, place: Option<&Path>, network: Ipv4Net) -> Result<()> {
    let beside = || {
        let mut name = config.data_dir.as_os_str().to_owned();
        name.push("-addons-test");
        PathBuf::from(name)
    };
    let place = place.map_or_else(beside, Path::to_owned);
    let place = std::path::absolute(&place).with_context(|| format!("{} is no place", place.display()))?;
    if place == config.data_dir {
        bail!("{} is the server's own data directory; name another place", place.display());
    }
    if !place.join("lock").exists() && fs::read_dir(&place).is_ok_and(|mut entries| entries.next().is_some())
    {
        bail!("{} holds something else than an earlier test; name another place", place.display());
    }
    config.data_dir = place;
    config.subnet = network.to_string();
    (config.catalog, config.mail, config.backups_store) = (None, None, None);
    Ok(())
}

/// A network that is free, and what says so to other tests for as long as it is held.
pub(super) struct Network {
    pub(super) addresses: Ipv4Net,
    _claim: UnixListener,
}

/// A network that this machine has no way into and no other test has chosen.
pub(super) fn free_network() -> Result<Network> {
    let table = fs::read_to_string("/proc/net/route").context("cannot read this machine's routes")?;
    let routes = routes(&table);
    let networks = NETWORKS.filter_map(|number| Ipv4Net::new(Ipv4Addr::new(10, number, 0, 0), 16).ok());
    let mut free =
        networks.filter(|one| routes.iter().all(|route| !route.contains(one) && !one.contains(route)));
    let claimed = free.find_map(|addresses| Some(Network { addresses, _claim: claim(addresses).ok()? }));
    claimed.context(
        "this machine uses all networks from 10.202.0.0/16 to 10.209.0.0/16; name one with --network",
    )
}

/// A name of the kernel's, which goes with whoever has it.
fn claim(network: Ipv4Net) -> io::Result<UnixListener> {
    let name = format!("kigo-addons-test-{network}");
    UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)
}

/// The kernel's table, without the way that is for everything.
fn routes(table: &str) -> Vec<Ipv4Net> {
    let address = |hex: &str| u32::from_str_radix(hex, 16).ok().map(|raw| Ipv4Addr::from(raw.to_ne_bytes()));
    let route = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let (destination, mask) = (address(words.get(1)?)?, address(words.get(7)?)?);
        Ipv4Net::with_netmask(destination, mask).ok().filter(|net| net.prefix_len() > 0)
    };
    table.lines().skip(1).filter_map(route).collect()
}

/// Takes the stack from an installation of this machine: its files are never changed, so links do. Where
/// there are none to be had, the test makes its own.
pub(super) fn borrow_stack(installation: &Path, place: &Path) {
    for (part, renewed) in [("blobs/sha256", false), ("stacks", true)] {
        if link_files(&installation.join(part), &place.join(part), renewed).is_err() {
            return;
        }
    }
}

/// Links files that are not there yet; with `renewed` also in the place of those that are.
fn link_files(from: &Path, to: &Path, renewed: bool) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let there = to.join(entry.file_name());
            if renewed && there.exists() {
                fs::remove_file(&there)?;
            }
            match fs::hard_link(entry.path(), there) {
                // What a server has just cleared away was of no use.
                Err(error) if !matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {
                    return Err(error);
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Takes away all that a test has on this machine but what it keeps for the next one.
pub(super) fn clear(config: &Config) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let images = ImageStore::open(&config.data_dir)?;
        let engine = Local::open(parts::local_config(config)?, images).await?;
        engine.destroy().await?;
        engine.settle().await;
        anyhow::Ok(())
    })?;
    let place = &config.data_dir;
    let listed = || format!("cannot look into {}", place.display());
    for entry in fs::read_dir(place).with_context(listed)? {
        let entry = entry.with_context(listed)?;
        if KEPT.iter().any(|kept| entry.file_name() == *kept) {
            continue;
        }
        let path = entry.path();
        let removed =
            if entry.file_type()?.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_read_as_the_kernel_writes_them() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                     eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                     eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
                     kigo1\t0200CA0A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n";
        let found: Vec<_> = routes(table).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["172.17.0.0/16", "10.202.0.2/32"]);
    }

    #[test]
    fn two_tests_choose_different_networks() {
        let (one, two) = (free_network().expect("a network"), free_network().expect("another"));
        assert_ne!(one.addresses, two.addresses);
        assert!(claim(one.addresses).is_err());
    }

    #[test]
    fn what_is_kept_survives_and_a_stack_is_linked() {
        let folder = tempfile::tempdir().expect("a directory");
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        for part in ["blobs/sha256", "stacks"] {
            fs::create_dir_all(from.join(part)).expect("a directory");
            fs::write(from.join(part).join("one"), "1").expect("a file");
        }
        borrow_stack(&from, &to);
        borrow_stack(&from, &to);
        assert_eq!(fs::read_to_string(to.join("stacks/one")).expect("a link"), "1");
        assert!(to.join("blobs/sha256/one").exists());
        borrow_stack(&folder.path().join("nowhere"), &to);
    }

    #[test]
    fn a_place_of_somebody_else_is_refused() {
        let folder = tempfile::tempdir().expect("a directory");
        let args =
            crate::config::ServerArgs { data_dir: Some(folder.path().join("kigo")), ..Default::default() };
        let network: Ipv4Net = "10.202.0.0/16".parse().expect("a network");
        let mut config = Config::resolve(&args).expect("settings");
        set_apart(&mut config, None, network).expect("beside it");
        assert_eq!(config.data_dir, folder.path().join("kigo-addons-test"));
        assert_eq!(config.subnet, "10.202.0.0/16");
        let mut config = Config::resolve(&args).expect("settings");
        fs::write(folder.path().join("letter"), "x").expect("a file");
        assert!(set_apart(&mut config, Some(folder.path()), network).is_err());
        assert!(set_apart(&mut config, Some(&folder.path().join("kigo")), network).is_err());
    }
}
