//! The operator's settings, as each part of the server wants them.

use crate::config::Config;
use crate::env::Endpoints;
use anyhow::{Context, Result};
use builder::HostSettings;
use engine_local::LocalConfig;
use ipnet::Ipv4Net;
use reconcile::Shelf;
use std::net::{IpAddr, Ipv4Addr};

pub(crate) fn local_config(config: &Config) -> Result<LocalConfig> {
    let resolvers: Vec<_> = config
        .dns
        .iter()
        .filter_map(|address| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        })
        .collect();
    if resolvers.len() != config.dns.len() {
        anyhow::bail!("dynos have IPv4 addresses only, so their name servers (dns) must be IPv4 addresses");
    }
    let allow: Result<_, _> = config.allow.iter().map(|text| text.parse()).collect();
    Ok(LocalConfig {
        subnet: config.subnet.parse().context("subnet is not an IPv4 network like 10.201.0.0/16")?,
        reserved: Some(service_network(config)?.to_string().parse()?),
        resolvers: (!resolvers.is_empty()).then_some(resolvers),
        allow: allow.context("allow has something that is no network like 10.0.0.5/32:5432")?,
        runtime: config.runtime.parse()?,
        ..LocalConfig::new(config.data_dir.clone())
    })
}

/// The upper quarter of the containers' network: services keep their addresses, dynos do not.
fn service_network(config: &Config) -> Result<Ipv4Net> {
    let all: Ipv4Net = config.subnet.parse().context("subnet is not an IPv4 network like 10.201.0.0/16")?;
    let quarters = all.subnets((all.prefix_len() + 2).min(32))?;
    Ok(quarters.last().unwrap_or(all))
}

/// The first address of services, and how many there are: all but the network's last, which some
/// programs take for the broadcast address.
pub(super) fn service_addresses(config: &Config) -> Result<(Ipv4Addr, u32)> {
    let network = service_network(config)?;
    let size = u32::from(network.broadcast()) - u32::from(network.network());
    Ok((network.network(), size))
}

pub(super) fn build_settings(config: &Config) -> Result<builder::Settings> {
    let usual = builder::Settings::default();
    let limits = engine::Limits {
        memory: config.build_memory,
        memory_max: config.build_memory,
        disk: config.build_disk,
        ..usual.limits
    };
    let mut host = HostSettings::detect();
    host.share_credentials = config.build_host_credentials;
    let withheld = host.withheld();
    if !withheld.is_empty() {
        tracing::warn!(
            settings = withheld.join(", "),
            "builds do not get the credentials in these settings of this machine; build.host_credentials shares them"
        );
    }
    let mirrors: std::result::Result<_, _> =
        config.registry_mirrors.iter().map(|text| text.parse()).collect();
    Ok(builder::Settings {
        limits,
        timeout: config.build_timeout,
        slug_limit: config.slug_limit,
        forget_after: config.build_forget_after,
        image_limit: config.registry_image_limit,
        mirrors: mirrors.context("registry.mirrors")?,
        host,
        local_buildpacks: config.local_buildpacks.clone(),
        ..usual
    })
}

/// Where backups are kept. What a store wants to know comes from the variables that other programs read, too.
pub(super) fn shelf(config: &Config) -> Result<Shelf> {
    let data = &config.data_dir;
    match &config.backups_store {
        None => Ok(Shelf::here(data)),
        Some(address) => {
            // A variable that is no text is none that a store knows.
            let variables = std::env::vars_os();
            let variables = variables
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
            Shelf::in_store(data, address, variables).context("backups.store")
        }
    }
}

pub(super) fn loop_settings(config: &Config, endpoints: &Endpoints, shelf: Shelf) -> reconcile::Settings {
    let usual = reconcile::Settings::new(&config.data_dir);
    reconcile::Settings {
        shelf,
        dynos: planner::dynos::Settings { boot_timeout: config.boot_timeout, ..usual.dynos },
        dyno_disk: config.dyno_disk,
        max_builds: config.build_concurrency,
        source_networks: config.source_networks.clone(),
        alert_networks: config.alert_networks.clone(),
        drain_networks: config.drain_networks.clone(),
        mail: config.mail.clone(),
        operator: config.operator.clone(),
        app_url: format!("{}/", endpoints.app_url),
        ..usual
    }
}

pub(super) fn git_config(config: &Config) -> Result<git::Config> {
    let me = std::env::current_exe().context("cannot find this program's own file")?;
    Ok(git::Config::new(config.data_dir.clone(), vec![me.into(), "hook".into(), "pre-receive".into()]))
}
