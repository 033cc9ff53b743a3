//! What an operator can set, and where it comes from: defaults, then the TOML file, then `KIGO_*`
//! variables, then flags. Later ones win. A key the file has and this module does not know is an
//! error, so that a misspelt setting cannot be silently ignored.

mod args;
mod file;

pub(crate) use args::ServerArgs;

use anyhow::{Result, anyhow, bail};
use file::{File, read_file};
use ipnet::IpNet;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Form of the server's own log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

/// All settings, decided.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    pub(crate) api_listen: SocketAddr,
    pub(crate) router_listen: SocketAddr,
    pub(crate) rendezvous_listen: SocketAddr,
    pub(crate) base_domain: String,
    /// `None` until the port is known, see [`Config::api_url`].
    api_url: Option<String>,
    app_url: Option<String>,
    pub(crate) subnet: String,
    pub(crate) catalog: Option<PathBuf>,
    /// Empty: this machine's.
    pub(crate) dns: Vec<IpAddr>,
    /// What dynos may reach in private networks.
    pub(crate) allow: Vec<String>,
    pub(crate) runtime: String,
    pub(crate) router_threads: usize,
    /// See [`router::Config::trusted_proxies`].
    pub(crate) router_trusted_proxies: Vec<IpNet>,
    pub(crate) build_concurrency: usize,
    /// Bytes.
    pub(crate) build_memory: u64,
    /// Bytes.
    pub(crate) build_disk: u64,
    pub(crate) build_timeout: Duration,
    /// Bytes.
    pub(crate) slug_limit: u64,
    /// See [`builder::Settings::forget_after`].
    pub(crate) build_forget_after: Duration,
    /// After which a stack is made anew, if ever.
    pub(crate) stack_age: Option<Duration>,
    /// See [`builder::HostSettings::share_credentials`].
    pub(crate) build_host_credentials: bool,
    /// See [`reconcile::Settings::source_networks`].
    pub(crate) source_networks: Vec<IpNet>,
    /// See [`reconcile::Settings::alert_networks`].
    pub(crate) alert_networks: Vec<IpNet>,
    /// See [`reconcile::Settings::drain_networks`].
    pub(crate) drain_networks: Vec<IpNet>,
    pub(crate) mail: Option<reconcile::Mail>,
    pub(crate) local_buildpacks: Option<PathBuf>,
    /// See [`reconcile::Shelf::in_store`].
    pub(crate) backups_store: Option<String>,
    /// See [`reconcile::Settings::operator`].
    pub(crate) operator: Option<reconcile::Operator>,
    /// Bytes.
    pub(crate) dyno_disk: u64,
    pub(crate) boot_timeout: Duration,
    /// Bytes.
    pub(crate) registry_blob_limit: u64,
    /// Bytes.
    pub(crate) registry_app_limit: u64,
    /// Bytes.
    pub(crate) registry_image_limit: u64,
    pub(crate) registry_mirrors: Vec<String>,
    pub(crate) log_format: LogFormat,
}

const MIB: u64 = 1 << 20;

impl Config {
    /// Reads the file, if one is named, and decides every setting.
    pub(crate) fn resolve(args: &ServerArgs) -> Result<Self> {
        let file = args.config.as_deref().map_or_else(|| Ok(File::default()), read_file)?;
        Self::combine(args, file)
    }

    fn combine(args: &ServerArgs, file: File) -> Result<Self> {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let mib = |arg: Option<u64>, file: Option<u64>, default: u64| {
            arg.or(file).unwrap_or(default).saturating_mul(MIB)
        };
        let days = |days: u64| Duration::from_secs(days.saturating_mul(24 * 60 * 60));
        let config = Self {
            data_dir: args.data_dir.clone().or(file.data_dir).unwrap_or_else(|| "/var/lib/kigo".into()),
            api_listen: args.api_listen.or(file.api.listen).unwrap_or(loopback(5000)),
            router_listen: args
                .router_listen
                .or(file.router.listen)
                .unwrap_or(SocketAddr::from(([0, 0, 0, 0], 8080))),
            rendezvous_listen: args.rendezvous_listen.or(file.rendezvous.listen).unwrap_or(loopback(5001)),
            base_domain: args
                .base_domain
                .clone()
                .or(file.base_domain)
                .map_or_else(|| "localhost".into(), |domain| domain.trim_matches('.').to_ascii_lowercase()),
            api_url: trimmed(args.api_url.clone().or(file.api.url)),
            app_url: trimmed(args.app_url.clone().or(file.router.app_url)),
            subnet: args.subnet.clone().or(file.network.subnet).unwrap_or_else(|| "10.201.0.0/16".into()),
            catalog: args.catalog.clone().or(file.catalog),
            dns: if args.dns.is_empty() { file.network.dns } else { args.dns.clone() },
            allow: if args.allow.is_empty() { file.network.allow } else { args.allow.clone() },
            runtime: args.runtime.clone().or(file.runtime).unwrap_or_else(|| "own".into()),
            router_threads: args.router_threads.or(file.router.threads).unwrap_or(cpus),
            router_trusted_proxies: if args.router_trusted_proxies.is_empty() {
                file.router.trusted_proxies
            } else {
                args.router_trusted_proxies.clone()
            },
            build_concurrency: args.build_concurrency.or(file.build.concurrency).unwrap_or(2),
            build_memory: mib(args.build_memory, file.build.memory, 2560),
            build_disk: mib(args.build_disk, file.build.disk, 10 * 1024),
            build_timeout: Duration::from_secs(
                args.build_timeout.or(file.build.timeout).unwrap_or(15).saturating_mul(60),
            ),
            slug_limit: mib(args.slug_limit, file.build.slug_limit, 500),
            build_forget_after: days(args.build_forget_after.or(file.build.forget_after).unwrap_or(30)),
            stack_age: Some(days(args.stack_age.or(file.build.stack_age).unwrap_or(7)))
                .filter(|age| !age.is_zero()),
            build_host_credentials: args
                .build_host_credentials
                .or(file.build.host_credentials)
                .unwrap_or_default(),
            source_networks: if args.source_networks.is_empty() {
                file.build.source_networks
            } else {
                args.source_networks.clone()
            },
            alert_networks: if args.alert_networks.is_empty() {
                file.alerts.networks
            } else {
                args.alert_networks.clone()
            },
            drain_networks: if args.drain_networks.is_empty() {
                file.drains.networks
            } else {
                args.drain_networks.clone()
            },
            mail: mail(
                args.mail_server.clone().or(file.mail.server),
                args.mail_from.clone().or(file.mail.from),
            )?,
            local_buildpacks: args.local_buildpacks.clone().or(file.build.local_buildpacks),
            backups_store: args.backups_store.clone().or(file.backups.store),
            operator: operator(args.backups_alert.clone().or(file.backups.alert))?,
            dyno_disk: mib(args.dyno_disk, file.dyno.disk, 1024),
            boot_timeout: Duration::from_secs(args.boot_timeout.or(file.dyno.boot_timeout).unwrap_or(60)),
            registry_blob_limit: mib(args.registry_blob_limit, file.registry.blob_limit, 4096),
            registry_app_limit: mib(args.registry_app_limit, file.registry.app_limit, 20 * 1024),
            registry_image_limit: mib(args.registry_image_limit, file.registry.image_limit, 8192),
            registry_mirrors: if args.registry_mirrors.is_empty() {
                file.registry.mirrors
            } else {
                args.registry_mirrors.clone()
            },
            log_format: args.log_format.or(file.log_format).unwrap_or_default(),
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        if !self.data_dir.is_absolute() {
            bail!("data_dir must be an absolute path, not {}", self.data_dir.display());
        }
        if self.router_threads == 0 || self.build_concurrency == 0 {
            bail!("router threads and build concurrency must be at least 1");
        }
        if self.app_url.as_deref().is_some_and(|url| !url.contains("{app}")) {
            bail!("app_url must contain {{app}}, which stands for the app's name");
        }
        if matches!(self.operator, Some(reconcile::Operator::Mail(_))) && self.mail.is_none() {
            bail!("backups.alert is an e-mail address, so mail.server and mail.from have to be set, too");
        }
        for (name, url) in [("api_url", &self.api_url), ("app_url", &self.app_url)] {
            if url.as_deref().is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
                bail!("{name} must start with http:// or https://");
            }
        }
        Ok(())
    }

    /// How clients reach the API, without a slash at the end. `port` is the one really bound.
    pub(crate) fn api_url(&self, port: u16) -> String {
        self.api_url.clone().unwrap_or_else(|| format!("http://localhost:{port}"))
    }

    /// Whether the operator said how clients reach the API. If not, answers carry the address that
    /// the client used itself.
    pub(crate) fn has_api_url(&self) -> bool {
        self.api_url.is_some()
    }

    /// The host of the API's address, if the operator gave one.
    pub(crate) fn api_host(&self) -> Option<String> {
        let authority = self.api_url.as_deref()?.split_once("://")?.1.split('/').next()?;
        let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((v6, _)) => v6,
            None => authority.split(':').next()?,
        };
        Some(host.to_owned())
    }

    /// The pattern of apps' addresses, with `{app}` in it. `port` is the one really bound.
    pub(crate) fn app_url(&self, port: u16) -> String {
        self.app_url.clone().unwrap_or_else(|| {
            let domain = &self.base_domain;
            if port == 80 {
                format!("http://{{app}}.{domain}")
            } else {
                format!("http://{{app}}.{domain}:{port}")
            }
        })
    }
}

/// The mail server, if there is one. One that cannot be used is told now and not with the first mail.
fn mail(server: Option<String>, from: Option<String>) -> Result<Option<reconcile::Mail>> {
    match (server, from) {
        (None, None) => Ok(None),
        (Some(server), Some(from)) => {
            let mail = reconcile::Mail { server, from };
            mail.check().map_err(anyhow::Error::msg)?;
            Ok(Some(mail))
        }
        _ => bail!("mail.server and mail.from go together"),
    }
}

/// Who runs this server, if backups are to be told of.
fn operator(address: Option<String>) -> Result<Option<reconcile::Operator>> {
    // The address may hold a secret, so it is not repeated.
    let parse =
        |text: String| reconcile::Operator::parse(&text).map_err(|why| anyhow!("backups.alert {why}"));
    address.map(parse).transpose()
}

fn trimmed(url: Option<String>) -> Option<String> {
    url.map(|url| url.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn defaults_stand_and_flags_win_over_the_file() {
        let file: File = toml::from_str(
            "base_domain = 'Apps.Example.com.'\n[api]\nlisten = '127.0.0.1:6000'\n[build]\nmemory = 100\nsource_networks = ['10.0.0.0/8', 'fd00::/8']\n[router]\ntrusted_proxies = ['127.0.0.1/32']\n",
        )
        .unwrap();
        let args = ServerArgs { build_memory: Some(200), ..ServerArgs::default() };
        let config = Config::combine(&args, file).unwrap();
        assert_eq!(config.data_dir, Path::new("/var/lib/kigo"));
        assert_eq!(config.api_listen.port(), 6000);
        assert_eq!(config.build_memory, 200 * MIB);
        assert_eq!(
            config.source_networks,
            ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse::<IpNet>().unwrap()]
        );
        assert_eq!(config.router_trusted_proxies, ["127.0.0.1/32".parse::<IpNet>().unwrap()]);
        assert_eq!(config.app_url(8080), "http://{app}.apps.example.com:8080");
        assert_eq!(config.api_url(6000), "http://localhost:6000");
    }

    #[test]
    fn a_misspelt_key_is_an_error() {
        assert!(toml::from_str::<File>("base_domian = 'x'").is_err());
        assert!(toml::from_str::<File>("[api]\nport = 1").is_err());
        assert!(toml::from_str::<File>("[build]\nsource_networks = ['10.0.0.0/33']").is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        for args in [
            ServerArgs { data_dir: Some("relative".into()), ..ServerArgs::default() },
            ServerArgs { app_url: Some("http://example.com".into()), ..ServerArgs::default() },
            ServerArgs { api_url: Some("example.com".into()), ..ServerArgs::default() },
            ServerArgs { build_concurrency: Some(0), ..ServerArgs::default() },
            ServerArgs { mail_from: Some("kigo@example.com".into()), ..ServerArgs::default() },
            ServerArgs {
                mail_from: Some("kigo@example.com".into()),
                mail_server: Some("imap://mail.example.com".into()),
                ..ServerArgs::default()
            },
            ServerArgs {
                mail_from: Some("nobody".into()),
                mail_server: Some("smtps://mail.example.com".into()),
                ..ServerArgs::default()
            },
            ServerArgs { backups_alert: Some("nobody".into()), ..ServerArgs::default() },
            ServerArgs { backups_alert: Some("ops@example.com".into()), ..ServerArgs::default() },
        ] {
            assert!(Config::combine(&args, File::default()).is_err(), "{args:?}");
        }
    }
}
