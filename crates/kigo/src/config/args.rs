//! Flags of `kigo server`, and the variables that stand for them.

use super::LogFormat;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Flags and variables of `kigo server`. Everything may also stand in the file.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct ServerArgs {
    /// Where all state lives [default: /var/lib/kigo]
    #[arg(long, env = "KIGO_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// A TOML file with settings
    #[arg(long, env = "KIGO_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Address of the API and of git, plain HTTP and TLS on one port [default: 127.0.0.1:5000]
    #[arg(long, env = "KIGO_API_LISTEN", value_name = "ADDRESS")]
    pub(crate) api_listen: Option<SocketAddr>,
    /// Address of the router, where apps are reached [default: 0.0.0.0:8080]
    #[arg(long, env = "KIGO_ROUTER_LISTEN", value_name = "ADDRESS")]
    pub(crate) router_listen: Option<SocketAddr>,
    /// Address for attached dynos (`heroku run`), TLS [default: 127.0.0.1:5001]
    #[arg(long, env = "KIGO_RENDEZVOUS_LISTEN", value_name = "ADDRESS")]
    pub(crate) rendezvous_listen: Option<SocketAddr>,
    /// Apps are at NAME.DOMAIN [default: localhost]
    #[arg(long, env = "KIGO_BASE_DOMAIN", value_name = "DOMAIN")]
    pub(crate) base_domain: Option<String>,
    /// How clients reach the API [default: http://localhost:PORT]
    #[arg(long, env = "KIGO_API_URL", value_name = "URL")]
    pub(crate) api_url: Option<String>,
    /// How people reach apps; {app} stands for the app's name [default: http://{app}.DOMAIN:PORT]
    #[arg(long, env = "KIGO_APP_URL", value_name = "URL")]
    pub(crate) app_url: Option<String>,
    /// Addresses for dynos, an IPv4 network [default: 10.201.0.0/16]
    #[arg(long, env = "KIGO_SUBNET", value_name = "CIDR")]
    pub(crate) subnet: Option<String>,
    /// Name servers for dynos [default: those of this machine]
    #[arg(long, env = "KIGO_DNS", value_name = "ADDRESS", value_delimiter = ',')]
    pub(crate) dns: Vec<IpAddr>,
    /// What dynos may reach in private networks, as NETWORK or NETWORK:PORT [default: nothing]
    #[arg(long, env = "KIGO_ALLOW", value_name = "NETWORK[:PORT]", value_delimiter = ',')]
    pub(crate) allow: Vec<String>,
    /// What runs dynos: own, crun, runc or the path of an OCI runtime [default: own]
    #[arg(long, env = "KIGO_RUNTIME", value_name = "RUNTIME")]
    pub(crate) runtime: Option<String>,
    /// Threads of the router [default: one per CPU]
    #[arg(long, env = "KIGO_ROUTER_THREADS", value_name = "N")]
    pub(crate) router_threads: Option<usize>,
    /// Reverse proxies whose X-Forwarded-Proto and -Port are believed [default: none]
    #[arg(long, env = "KIGO_ROUTER_TRUSTED_PROXIES", value_name = "CIDR", value_delimiter = ',')]
    pub(crate) router_trusted_proxies: Vec<IpNet>,
    /// Builds that run at once [default: 2]
    #[arg(long, env = "KIGO_BUILD_CONCURRENCY", value_name = "N")]
    pub(crate) build_concurrency: Option<usize>,
    /// Memory of a build in MiB [default: 2560]
    #[arg(long, env = "KIGO_BUILD_MEMORY", value_name = "MIB")]
    pub(crate) build_memory: Option<u64>,
    /// Disk of a build in MiB [default: 10240]
    #[arg(long, env = "KIGO_BUILD_DISK", value_name = "MIB")]
    pub(crate) build_disk: Option<u64>,
    /// Minutes a build may take [default: 15]
    #[arg(long, env = "KIGO_BUILD_TIMEOUT", value_name = "MINUTES")]
    pub(crate) build_timeout: Option<u64>,
    /// Compressed size of a slug at most, in MiB [default: 500]
    #[arg(long, env = "KIGO_SLUG_LIMIT", value_name = "MIB")]
    pub(crate) slug_limit: Option<u64>,
    /// Days after which toolchains and packages that no build used are removed [default: 30]
    #[arg(long, env = "KIGO_BUILD_FORGET_AFTER", value_name = "DAYS")]
    pub(crate) build_forget_after: Option<u64>,
    /// Days after which a stack is made anew, with Debian's updates; 0 for never [default: 7]
    #[arg(long, env = "KIGO_STACK_AGE", value_name = "DAYS")]
    pub(crate) stack_age: Option<u64>,
    /// Inner networks that sources of builds may be downloaded from [default: none]
    #[arg(long, env = "KIGO_SOURCE_NETWORKS", value_name = "CIDR", value_delimiter = ',')]
    pub(crate) source_networks: Vec<IpNet>,
    /// Inner networks that alerts may be posted to [default: none]
    #[arg(long, env = "KIGO_ALERT_NETWORKS", value_name = "CIDR", value_delimiter = ',')]
    pub(crate) alert_networks: Vec<IpNet>,
    /// Inner networks that log drains may lie in [default: none]
    #[arg(long, env = "KIGO_DRAIN_NETWORKS", value_name = "CIDR", value_delimiter = ',')]
    pub(crate) drain_networks: Vec<IpNet>,
    /// The mail server for alerts, as smtps://user:password@host [default: none]
    #[arg(long, env = "KIGO_MAIL_SERVER", value_name = "URL", hide_env_values = true)]
    pub(crate) mail_server: Option<String>,
    /// Who mails are from [default: none]
    #[arg(long, env = "KIGO_MAIL_FROM", value_name = "ADDRESS")]
    pub(crate) mail_from: Option<String>,
    /// Give builds this machine's credentials for registries and proxies, too [default: false]
    #[arg(long, env = "KIGO_BUILD_HOST_CREDENTIALS", value_name = "BOOL")]
    pub(crate) build_host_credentials: Option<bool>,
    /// A directory whose buildpacks apps may name as file:// addresses [default: none]
    #[arg(long, env = "KIGO_LOCAL_BUILDPACKS", value_name = "DIR")]
    pub(crate) local_buildpacks: Option<PathBuf>,
    /// A directory with definitions of further add-ons [default: none]
    #[arg(long, env = "KIGO_CATALOG", value_name = "DIR")]
    pub(crate) catalog: Option<PathBuf>,
    /// Where backups of add-ons are kept, as s3://bucket/folder [default: the data directory]
    #[arg(long, env = "KIGO_BACKUPS_STORE", value_name = "URL")]
    pub(crate) backups_store: Option<String>,
    /// Who is told of backups that cannot be restored, an e-mail address or a webhook's [default: none]
    #[arg(long, env = "KIGO_BACKUPS_ALERT", value_name = "ADDRESS", hide_env_values = true)]
    pub(crate) backups_alert: Option<String>,
    /// Disk a dyno may fill, in MiB [default: 1024]
    #[arg(long, env = "KIGO_DYNO_DISK", value_name = "MIB")]
    pub(crate) dyno_disk: Option<u64>,
    /// Compressed size of one layer in the registry at most, in MiB [default: 4096]
    #[arg(long, env = "KIGO_REGISTRY_BLOB_LIMIT", value_name = "MIB")]
    pub(crate) registry_blob_limit: Option<u64>,
    /// Size of all that one app's repositories hold, at most, in MiB [default: 20480]
    #[arg(long, env = "KIGO_REGISTRY_APP_LIMIT", value_name = "MIB")]
    pub(crate) registry_app_limit: Option<u64>,
    /// Size of an image that is released, unpacked, at most, in MiB [default: 8192]
    #[arg(long, env = "KIGO_REGISTRY_IMAGE_LIMIT", value_name = "MIB")]
    pub(crate) registry_image_limit: Option<u64>,
    /// Where Dockerfiles' images of other registries are fetched, as docker.io=mirror.example.com
    #[arg(long, env = "KIGO_REGISTRY_MIRRORS", value_name = "NAME=MIRROR", value_delimiter = ',')]
    pub(crate) registry_mirrors: Vec<String>,
    /// Seconds a web dyno has for listening on its port [default: 60]
    #[arg(long, env = "KIGO_BOOT_TIMEOUT", value_name = "SECONDS")]
    pub(crate) boot_timeout: Option<u64>,
    /// Form of the server's own log: text or json [default: text]
    #[arg(long, env = "KIGO_LOG_FORMAT", value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}
