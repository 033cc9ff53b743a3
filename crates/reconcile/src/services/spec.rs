//! How containers of services and of their hooks are to be.

use addons::{Definition, Plan, Running, Size};
use domain::{AddonId, Credential, Digest, Instance};
use engine::{ContainerSpec, Limits, Power, Terminal, Volume};
use std::collections::BTreeMap;
use std::fs::Permissions;
use std::net::SocketAddrV4;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;

/// Labels of these containers.
pub(crate) mod label {
    pub(crate) use crate::spec::label::KIND;
    /// Values of [`KIND`].
    pub(crate) const SERVICE: &str = "service";
    pub(crate) const TASK: &str = "service-task";
    /// The service's name.
    pub(crate) const NAME: &str = "service";
    pub(crate) const ADDON: &str = "addon";
    /// An id of this start of a service; its container has the instance's, each time.
    pub(crate) const START: &str = "start";
    /// What its plan gave the container when it was started.
    pub(crate) const SIZE: &str = "size";
}

/// User and group of `dyno` in every stack.
const USER: u32 = 1000;
/// Where a service keeps its data.
const DATA: &str = "/data";
const MIB: u64 = 1 << 20;
/// What a container that all share lets each of its add-ons' users open, in sum.
const SHARED_CONNECTIONS: u64 = 300;
/// For everything but data.
const DISK: u64 = 256 * MIB;
/// Hooks are short.
const HOOK_LIMIT: Duration = Duration::from_mins(10);
const HOOK_MEMORY: u64 = 512 * MIB;
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The container of a service; `offer` is the plan of one that is an add-on's own, `settings` what was
/// set at it.
pub(super) fn instance(
    instance: &Instance,
    definition: &Definition,
    run: &Running,
    offer: Option<&Plan>,
    settings: &BTreeMap<String, String>,
    image: Digest,
    volume: PathBuf,
) -> ContainerSpec {
    let size = size(run, offer);
    let mut env = values(&instance.values);
    env.extend(values(settings));
    env.extend(plan_env(offer, size));
    env.insert("KIGO_PORT".into(), run.port.to_string());
    // What only a server of one's own has; the port of one that all share leads nowhere.
    let pool = run.pooling_port.filter(|_| offer.is_some_and(|offer| !offer.shared));
    env.extend(pool.map(|port| ("KIGO_POOLING_PORT".to_owned(), port.to_string())));
    env.extend([("PATH".into(), PATH.into()), ("HOME".into(), "/tmp".into())]);
    let volume = Volume { image: volume, size: size.disk * MIB, target: DATA.into(), owner: USER };
    let start = Uuid::new_v4().to_string();
    let labels = [
        (label::KIND, label::SERVICE),
        (label::NAME, definition.name.as_str()),
        (label::START, start.as_str()),
    ];
    ContainerSpec {
        id: instance.id.0,
        env,
        limits: limits(size.memory * MIB),
        volumes: if run.volume { vec![volume] } else { Vec::new() },
        watch_port: Some(run.port),
        address: Some(instance.address),
        ..base(labels, image, &run.start, &definition.name)
    }
}

fn size(run: &Running, offer: Option<&Plan>) -> Size {
    // Of a plan that shares, one is tried in a container like the shared one.
    let own = offer.filter(|offer| !offer.shared).map(Plan::size);
    own.or(run.shared).unwrap_or(Size { memory: 256, disk: 0 })
}

/// All that a container would have to be started anew for, if it changed.
pub(super) fn size_label(run: &Running, offer: Option<&Plan>) -> String {
    let (size, connections) = (size(run, offer), offer.map_or(SHARED_CONNECTIONS, |plan| plan.connections));
    format!("{} {} {connections}", size.memory, size.disk)
}

/// The container of a hook that fills the volume of a service, as large as that is.
pub(super) fn filler(addon: AddonId, service: &ContainerSpec, script: &str) -> ContainerSpec {
    let id = addon.to_string();
    let labels = [(label::KIND, label::TASK), (label::ADDON, &id)];
    ContainerSpec {
        env: service.env.clone(),
        limits: service.limits,
        volumes: service.volumes.clone(),
        ..base(labels, service.image, script, &service.hostname)
    }
}

/// A directory that containers of services may write to, and nobody of this machine may look into.
pub(super) fn own_directory(path: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(path)?;
    let private = || Permissions::from_mode(0o700);
    if let Some(parent) = path.parent() {
        std::fs::set_permissions(parent, private())?;
    }
    std::fs::set_permissions(path, private())?;
    std::os::unix::fs::chown(path, Some(USER), Some(USER))
}

/// The container of a hook that is about one credential of an add-on.
#[expect(clippy::too_many_arguments, reason = "all that a hook is told")]
pub(crate) fn task(
    addon: AddonId,
    instance: &Instance,
    definition: &Definition,
    run: &Running,
    offer: &Plan,
    credential: &Credential,
    settings: &BTreeMap<String, String>,
    script: &str,
    image: Digest,
) -> ContainerSpec {
    let mut env = values(&instance.values);
    env.extend(values(settings));
    env.extend(values(credential.next.as_ref().unwrap_or(&credential.values)));
    env.extend(plan_env(Some(offer), offer.size()));
    let told = [
        ("KIGO_HOST", instance.address.to_string()),
        ("KIGO_PORT", run.port.to_string()),
        ("KIGO_CREDENTIAL", credential.name.clone()),
        ("KIGO_SHARED", offer.shared.to_string()),
        ("KIGO_ROTATED", credential.is_rotated().to_string()),
        ("KIGO_FOLLOWS", false.to_string()),
        ("PATH", PATH.to_owned()),
        ("HOME", "/tmp".to_owned()),
    ];
    env.extend(told.map(|(name, value)| (name.to_owned(), value)));
    let id = addon.to_string();
    let labels = [(label::KIND, label::TASK), (label::ADDON, &id)];
    ContainerSpec {
        env,
        limits: limits(HOOK_MEMORY),
        time_limit: Some(HOOK_LIMIT),
        reach: [Some(run.port), run.hooks_port]
            .into_iter()
            .flatten()
            .map(|port| SocketAddrV4::new(instance.address, port))
            .collect(),
        ..base(labels, image, script, &definition.name)
    }
}

fn base<const N: usize>(
    labels: [(&str, &str); N],
    image: Digest,
    script: &str,
    hostname: &str,
) -> ContainerSpec {
    ContainerSpec {
        id: Uuid::new_v4(),
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        image,
        command: ["/bin/bash", "-c", script].map(str::to_owned).into(),
        env: BTreeMap::new(),
        working_dir: "/".into(),
        hostname: hostname.to_owned(),
        user: USER,
        group: None,
        power: Power::Plain,
        limits: limits(0),
        terminal: Terminal::Log,
        mounts: Vec::new(),
        volumes: Vec::new(),
        address: None,
        reach: Vec::new(),
        watch_port: None,
        time_limit: None,
    }
}

fn limits(memory: u64) -> Limits {
    // What the kernel keeps for files counts, and goes when it is needed.
    Limits { memory, memory_max: memory, cpu_weight: 100, cpu_millis: None, pids: 1024, disk: DISK }
}

/// `password` becomes `KIGO_PASSWORD`.
fn values(values: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    values.iter().map(|(name, value)| (variable(name), value.clone())).collect()
}

pub(super) fn variable(name: &str) -> String {
    format!("KIGO_{}", name.to_ascii_uppercase().replace('-', "_"))
}

fn plan_env(offer: Option<&Plan>, size: Size) -> BTreeMap<String, String> {
    let connections = offer.map_or(SHARED_CONNECTIONS, |plan| plan.connections);
    let mut env: BTreeMap<_, _> = [
        ("KIGO_MEMORY".to_owned(), size.memory.to_string()),
        ("KIGO_DISK".to_owned(), size.disk.to_string()),
        ("KIGO_CONNECTIONS".to_owned(), connections.to_string()),
    ]
    .into();
    let limits = offer.into_iter().flat_map(|plan| &plan.limits);
    env.extend(limits.map(|(name, value)| (variable(name), value.clone())));
    env
}
