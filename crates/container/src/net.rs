//! The network of containers: one routed veth pair for each, one nft table for all.
//!
//! Every container has a network namespace of its own with one IPv4 address (a /32, no bridge and
//! so no neighbours) and a default route to the host. What it may reach is decided in one place,
//! the table that `rules` writes: the world outside through the host's address, the host's
//! resolvers, what the operator allows; not other containers, not the host's ports, not private
//! ranges, not a cloud's metadata service. There is no IPv6 beyond the loopback interface.
//!
//! Everything here outlives the process that made it. The namespace is held by a file in the
//! container's directory, the address is written beside it, and [`Network::open`] finds both again.
//!
//! It refuses to touch other people's tables: where the host's own firewall (Docker's `FORWARD`
//! policy, ufw) drops what passes through, [`Network::warnings`] says so and how to allow it.

mod allocator;
mod files;
mod link;
pub mod namespace;
mod nft;
pub mod resolver;
mod rules;
mod subnet;
mod tag;

pub use rules::Allow;
pub use subnet::{ParseSubnetError, Subnet};
pub use tag::InstanceTag;

use allocator::Allocator;
use engine::ContainerId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::task::TaskTracker;

/// Where every container sends what is not for itself: a link-local address that the host has on
/// each veth, so that no address of the subnet is spent on gateways.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// What the network of one installation needs to know.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// Sets this installation's interfaces and table apart from those of others on the host.
    pub tag: InstanceTag,
    /// Addresses for containers.
    pub subnet: Subnet,
    /// Directory with one directory for each container, named by its id.
    pub containers: PathBuf,
    /// Name servers for containers instead of the host's own. Containers can reach exactly these.
    pub resolvers: Option<Vec<Ipv4Addr>>,
    /// What containers may reach although it lies in a private range or on the host.
    pub allow: Vec<Allow>,
    /// Connections that one container may have open at a time, whatever the protocol. `None`: a
    /// sixteenth of what the host can track.
    pub connections: Option<u32>,
    /// Part of the subnet whose addresses only those get who ask for them.
    pub reserved: Option<Subnet>,
}

impl NetworkConfig {
    /// The usual network of an installation.
    pub fn new(tag: InstanceTag, containers: PathBuf) -> Self {
        Self {
            tag,
            subnet: Subnet::DEFAULT,
            containers,
            resolvers: None,
            allow: Vec::new(),
            connections: None,
            reserved: None,
        }
    }
}

/// How a container's network is to be.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// `None`: any that is free and not reserved.
    pub address: Option<Ipv4Addr>,
    /// Other containers' TCP ports that it may connect to.
    pub reach: Vec<SocketAddrV4>,
}

/// The network of one container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The container's address, reachable from this host.
    pub address: Ipv4Addr,
    /// The host's end of the veth pair.
    pub interface: String,
    /// The file that holds the network namespace; `setns` works on it.
    pub namespace: PathBuf,
    /// Other containers' TCP ports that this one may connect to.
    #[serde(default)]
    pub reach: Vec<SocketAddrV4>,
}

impl Lease {
    /// As the seam of engines has it.
    pub fn ip(&self) -> IpAddr {
        IpAddr::V4(self.address)
    }
}

/// Why a network could not be made or taken away.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    #[error("cannot {doing}")]
    Io {
        doing: String,
        #[source]
        source: io::Error,
    },
    #[error("the kernel refused to {doing}")]
    Netlink {
        doing: String,
        #[source]
        source: rtnetlink::Error,
    },
    #[error("the program nft is missing; install the package nftables")]
    NoNft,
    #[error("nft refused to {doing}: {message}")]
    Nft { doing: &'static str, message: String },
    #[error("all addresses of {0} are taken; set a larger subnet")]
    Exhausted(Subnet),
    #[error("the address {0} is taken")]
    Taken(Ipv4Addr),
    #[error("{0} is not an address of {1}, the subnet of containers")]
    Foreign(Ipv4Addr, Subnet),
}

impl NetworkError {
    fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    fn netlink(doing: impl Into<String>) -> impl FnOnce(rtnetlink::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Netlink { doing, source }
    }
}

/// The network of one installation. Lives in the network namespace of the thread that opened it.
pub struct Network {
    config: NetworkConfig,
    resolvers: Vec<Ipv4Addr>,
    ruleset: String,
    warnings: Vec<String>,
    /// The network namespace of the host.
    home: File,
    links: link::Links,
    state: Arc<Mutex<State>>,
    /// Interfaces that are being deleted.
    deletions: TaskTracker,
    /// There is nothing to repair any more.
    destroyed: AtomicBool,
}

struct State {
    allocator: Allocator,
    leases: BTreeMap<ContainerId, Lease>,
}

impl Network {
    /// Prepares the host: forwarding, the nft table (replaced in one step, connections live on), and
    /// the leases found on disk. Interfaces of this installation without a lease are deleted.
    ///
    /// # Errors
    /// Without root, without `nft`, or when a directory of a container cannot be read.
    pub async fn open(config: NetworkConfig) -> Result<Self, NetworkError> {
        let mut warnings = Vec::new();
        let resolvers = resolver::choose(config.resolvers.as_deref(), &mut warnings);
        enable_forwarding()?;
        let ruleset = load_rules(&config, &resolvers, &mut warnings).await?;
        warnings.extend(nft::foreign_drops(config.tag).await);

        let leases = files::read_leases(&config.containers)?;
        let mut allocator = Allocator::new(config.subnet, config.reserved);
        for lease in leases.values() {
            allocator.take(lease.address);
            nft::open(config.tag, lease).await?;
        }
        let links = link::Links::open()?;
        let known: Vec<&str> = leases.values().map(|lease| lease.interface.as_str()).collect();
        links.delete_unknown(&config.tag.interface_prefix(), &known).await?;
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        Ok(Self {
            config,
            resolvers,
            ruleset,
            warnings,
            home: namespace::own()?,
            links,
            state: Arc::new(Mutex::new(State { allocator, leases })),
            deletions: TaskTracker::new(),
            destroyed: AtomicBool::new(false),
        })
    }

    /// What an operator should know about this host: no resolver, a firewall in the way.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Loads the table again if it is gone, as after `nft flush ruleset`, with which the service
    /// files of distributions reload their rules. Containers are open to the host until then, so
    /// this is to be called every few seconds. True if it was gone.
    ///
    /// # Errors
    /// When `nft` cannot be run or refuses.
    pub async fn repair(&self) -> Result<bool, NetworkError> {
        if self.destroyed.load(Ordering::SeqCst) || nft::is_loaded(self.config.tag).await? {
            return Ok(false);
        }
        nft::apply(&self.ruleset).await?;
        for lease in self.leases().values() {
            nft::open(self.config.tag, lease).await?;
        }
        Ok(true)
    }

    /// The network of a container, if it has one.
    pub fn lease(&self, id: ContainerId) -> Option<Lease> {
        self.state().leases.get(&id).cloned()
    }

    /// All containers with a network.
    pub fn leases(&self) -> BTreeMap<ContainerId, Lease> {
        self.state().leases.clone()
    }

    /// Makes the network of a container: namespace, address, veth pair, routes, and the way to what it
    /// may reach. The directory of the container must exist. A second call gives the same lease.
    ///
    /// # Errors
    /// When the subnet is full, the wished address is not free or the kernel refuses; nothing is left
    /// behind then.
    pub async fn attach(&self, id: ContainerId, wish: Wish) -> Result<Lease, NetworkError> {
        if let Some(lease) = self.lease(id) {
            return Ok(lease);
        }
        let directory = self.config.containers.join(id.to_string());
        loop {
            let address = self.take(wish.address)?;
            let lease = Lease {
                address,
                interface: self.config.tag.interface(address),
                namespace: directory.join(files::NAMESPACE),
                reach: wish.reach.clone(),
            };
            match self.build(&directory, &lease).await {
                Ok(true) => {
                    self.state().leases.insert(id, lease.clone());
                    return Ok(lease);
                }
                Ok(false) if wish.address.is_some() => {
                    self.state().allocator.release(address);
                    return Err(NetworkError::Taken(address));
                }
                // Another installation has this address; keep it off our list and try the next.
                Ok(false) => {}
                Err(error) => {
                    self.undo(&directory, &lease).await;
                    self.state().allocator.release(address);
                    return Err(error);
                }
            }
        }
    }

    /// The wished address, or any.
    fn take(&self, wish: Option<Ipv4Addr>) -> Result<Ipv4Addr, NetworkError> {
        let subnet = self.config.subnet;
        let mut state = self.state();
        match wish {
            None => state.allocator.next().ok_or(NetworkError::Exhausted(subnet)),
            Some(address) if !subnet.contains(address) => Err(NetworkError::Foreign(address, subnet)),
            Some(address) if state.allocator.reserve(address) => Ok(address),
            Some(address) => Err(NetworkError::Taken(address)),
        }
    }

    /// Takes the network of a container away; one without is no error. The interface and the
    /// address are freed in the background, for which [`Network::settle`] waits.
    ///
    /// # Errors
    /// When the files that hold it cannot be removed.
    pub fn detach(&self, id: ContainerId) -> Result<(), NetworkError> {
        let directory = self.config.containers.join(id.to_string());
        namespace::release(&directory.join(files::NAMESPACE))?;
        let Some(lease) = self.state().leases.remove(&id) else { return Ok(()) };
        let links = self.links.clone();
        let state = Arc::clone(&self.state);
        let tag = self.config.tag;
        self.deletions.spawn(async move {
            if let Err(error) = nft::close(tag, &lease).await {
                tracing::error!(%error, "a container that is gone may still be let through");
            }
            // The address is free only now. Should this process end before, the next one finds an
            // interface without a lease and deletes it.
            match links.delete(&lease.interface).await {
                Ok(()) => lock(&state).allocator.release(lease.address),
                Err(error) => tracing::error!(interface = lease.interface, %error, "interface not deleted"),
            }
        });
        files::remove_lease(&directory)
    }

    /// Waits until the interfaces of detached containers are gone.
    pub async fn settle(&self) {
        self.deletions.close();
        self.deletions.wait().await;
        self.deletions.reopen();
    }

    /// Takes everything of this installation away: all interfaces and the table. For
    /// uninstalling, and for tests.
    ///
    /// # Errors
    /// When the kernel refuses to delete an interface or the table.
    pub async fn destroy(&self) -> Result<(), NetworkError> {
        self.destroyed.store(true, Ordering::SeqCst);
        self.settle().await;
        let leases = std::mem::take(&mut self.state().leases);
        for lease in leases.values() {
            namespace::release(&lease.namespace)?;
        }
        self.links.delete_unknown(&self.config.tag.interface_prefix(), &[]).await?;
        nft::delete(self.config.tag).await
    }

    /// The text of `/etc/resolv.conf` for containers. Search domains and options of the host are
    /// left out: they belong to the host's network, not to apps.
    pub fn resolv_conf(&self) -> String {
        resolver::resolv_conf(&self.resolvers)
    }

    /// The text of `/etc/hosts` for a container.
    pub fn hosts(&self, lease: &Lease, hostname: &str) -> String {
        format!("127.0.0.1\tlocalhost\n::1\tip6-localhost ip6-loopback\n{}\t{hostname}\n", lease.address)
    }

    /// Makes one lease real. False if the address is in use by somebody else on this host.
    async fn build(&self, directory: &std::path::Path, lease: &Lease) -> Result<bool, NetworkError> {
        files::write_lease(directory, lease)?;
        let made = link::build(&self.home, lease).await?;
        if made {
            nft::open(self.config.tag, lease).await?;
        }
        if !made {
            self.undo(directory, lease).await;
        }
        Ok(made)
    }

    /// Takes back what [`Network::build`] may have made. Problems are logged only: the caller is
    /// about to report the one that mattered, and the next start tidies up.
    async fn undo(&self, directory: &std::path::Path, lease: &Lease) {
        if let Err(error) = namespace::release(&lease.namespace) {
            tracing::warn!(%error, "half-made network not removed");
        }
        if let Err(error) = self.links.delete(&lease.interface).await {
            tracing::warn!(%error, "half-made network not removed");
        }
        if let Err(error) = files::remove_lease(directory) {
            tracing::warn!(%error, "half-made network not removed");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Loads the table and returns its text. A kernel that cannot count connections gets it without the
/// bound on them.
async fn load_rules(
    config: &NetworkConfig,
    resolvers: &[Ipv4Addr],
    warnings: &mut Vec<String>,
) -> Result<String, NetworkError> {
    let write =
        |connections| rules::ruleset(config.tag, config.subnet, resolvers, &config.allow, connections);
    let ruleset = write(Some(config.connections.unwrap_or_else(share_of_connections)));
    let Err(refusal) = nft::apply(&ruleset).await else { return Ok(ruleset) };
    let ruleset = write(None);
    nft::apply(&ruleset).await?;
    warnings.push(format!("one container can use up this host's table of connections: {refusal}"));
    Ok(ruleset)
}

/// What one container may take of the host's table of connections.
fn share_of_connections() -> u32 {
    // As the kernel has it on a machine with 4 GB, for when it does not tell yet.
    const USUAL: u32 = 262_144;
    let text = std::fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_max").unwrap_or_default();
    (text.trim().parse().unwrap_or(USUAL) / 16).max(256)
}

/// Lets the host pass packets on. It is read first, because writing it, even unchanged, resets
/// what an operator set for single interfaces.
fn enable_forwarding() -> Result<(), NetworkError> {
    const SWITCH: &str = "/proc/sys/net/ipv4/ip_forward";
    let error = || NetworkError::io("turn on net.ipv4.ip_forward");
    if std::fs::read_to_string(SWITCH).map_err(error())?.trim() != "1" {
        std::fs::write(SWITCH, "1").map_err(error())?;
    }
    Ok(())
}
