//! The file with an operator's settings.

use super::LogFormat;
use anyhow::{Context, Result};
use ipnet::IpNet;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// The file: the same names as the flags, grouped.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) data_dir: Option<PathBuf>,
    pub(super) base_domain: Option<String>,
    pub(super) runtime: Option<String>,
    pub(super) log_format: Option<LogFormat>,
    pub(super) catalog: Option<PathBuf>,
    pub(super) api: FileApi,
    pub(super) router: FileRouter,
    pub(super) rendezvous: FileListen,
    pub(super) network: FileNetwork,
    pub(super) build: FileBuild,
    pub(super) dyno: FileDyno,
    pub(super) registry: FileRegistry,
    pub(super) backups: FileBackups,
    pub(super) alerts: FileAlerts,
    pub(super) drains: FileDrains,
    pub(super) mail: FileMail,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileAlerts {
    pub(super) networks: Vec<IpNet>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileDrains {
    pub(super) networks: Vec<IpNet>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileMail {
    pub(super) server: Option<String>,
    pub(super) from: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileApi {
    pub(super) listen: Option<SocketAddr>,
    pub(super) url: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileRouter {
    pub(super) listen: Option<SocketAddr>,
    pub(super) app_url: Option<String>,
    pub(super) threads: Option<usize>,
    pub(super) trusted_proxies: Vec<IpNet>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileListen {
    pub(super) listen: Option<SocketAddr>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileNetwork {
    pub(super) subnet: Option<String>,
    pub(super) dns: Vec<IpAddr>,
    pub(super) allow: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileBuild {
    pub(super) concurrency: Option<usize>,
    pub(super) memory: Option<u64>,
    pub(super) disk: Option<u64>,
    pub(super) timeout: Option<u64>,
    pub(super) slug_limit: Option<u64>,
    pub(super) forget_after: Option<u64>,
    pub(super) stack_age: Option<u64>,
    pub(super) local_buildpacks: Option<PathBuf>,
    pub(super) source_networks: Vec<IpNet>,
    pub(super) host_credentials: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileDyno {
    pub(super) disk: Option<u64>,
    pub(super) boot_timeout: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileRegistry {
    pub(super) blob_limit: Option<u64>,
    pub(super) app_limit: Option<u64>,
    pub(super) image_limit: Option<u64>,
    pub(super) mirrors: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileBackups {
    pub(super) store: Option<String>,
    pub(super) alert: Option<String>,
}

/// Reads it. A key that is not known is an error.
pub(super) fn read_file(path: &Path) -> Result<File> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is not a valid configuration", path.display()))
}
