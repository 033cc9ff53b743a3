//! Starting a container's processes in a root that is ready.
//!
//! The shim clones a child into new namespaces. The child makes the root its root, gives up
//! everything it could do and becomes the container's init ([`crate::init`]), which starts the
//! program. Shim and child talk over a pair of sockets: the child reports how far it is, and
//! waits for the shim where the shim has to do something for it.

mod confine;
mod inside;
mod message;

pub(crate) use inside::set_size;
pub(crate) use message::{Channel as InitChannel, Report as InitReport};

use crate::bundle::{Bundle, Paths};
use crate::cgroup::Group;
use crate::error::{Doing, Failure};
use crate::oci;
use crate::rootfs::{self, Root};
use crate::sys::{self, Cloned};
use engine::{ContainerSpec, Terminal};
use message::{Channel, Order, Report};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, pidfd_send_signal};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A container whose init runs.
pub struct Launched {
    /// Init's process id on the host.
    pub init: i32,
    /// Refers to init; readable when it has ended.
    pub pidfd: OwnedFd,
    /// `None` when init has said its last word.
    channel: Option<Channel>,
    /// Somebody else launched it.
    foreign: Option<Foreign>,
    started: bool,
    /// What the program prints; with a pseudo-terminal, its other side, to be written as well.
    pub output: Option<OwnedFd>,
    /// Write side of the program's standard input, for `Terminal::Pipes`.
    pub input: Option<OwnedFd>,
}

/// What an OCI runtime needs in the place of our own init.
struct Foreign {
    runtime: oci::Runtime,
    group: Group,
}

/// What the container has to tell after [`Launched::start`].
pub enum Progress {
    /// The program runs.
    Started,
    /// It could not be executed; the text says why. Init ends with the code a shell would give.
    Failed(String),
    /// Nobody will report any more.
    Over,
}

impl Launched {
    /// Lets init start the program if it has not to do so by itself.
    pub fn start(&mut self) -> Result<(), Failure> {
        if std::mem::replace(&mut self.started, true) {
            return Ok(());
        }
        if let Some(foreign) = &self.foreign {
            // Says in init's place what there is to say, and no more.
            let (ours, theirs) = Channel::pair().doing("make the channel to the container")?;
            foreign.runtime.start()?;
            theirs.send_report(&Report::Started, None).doing("report the start")?;
            self.channel = Some(ours);
            return Ok(());
        }
        let Some(channel) = &self.channel else { return Ok(()) };
        channel.order(Order::Start).doing("tell the container to start its program")
    }

    /// Whether init is to start the program. It may be running then, reported or not.
    pub fn was_started(&self) -> bool {
        self.started
    }

    /// A signal to every process inside. They may all have ended this moment.
    pub fn signal(&self, signal: Signal) {
        match &self.foreign {
            // Init passes it on.
            None => drop(pidfd_send_signal(&self.pidfd, signal)),
            Some(foreign) => {
                for pid in foreign.group.processes() {
                    drop(sys::kill(pid, signal.as_raw()));
                }
            }
        }
    }

    /// Readable when [`Launched::progress`] has something; `None` when it never will.
    pub fn reports(&self) -> Option<BorrowedFd<'_>> {
        self.channel.as_ref().map(AsFd::as_fd)
    }

    /// Waits for init's next word.
    pub fn progress(&mut self) -> Progress {
        let Some(channel) = &self.channel else { return Progress::Over };
        match channel.report() {
            Ok(Some((Report::Started, _))) => Progress::Started,
            Ok(Some((Report::Failed(text), _))) => Progress::Failed(text),
            Ok(Some((Report::Ready, _)) | None) => {
                self.channel = None;
                Progress::Over
            }
            Err(error) => {
                self.channel = None;
                Progress::Failed(format!("the container's init cannot be heard: {error}"))
            }
        }
    }
}

/// The program's standard streams, both ends.
struct Streams {
    /// For the program; a pseudo-terminal is made inside instead.
    inside: Option<inside::Standard>,
    output: Option<OwnedFd>,
    input: Option<OwnedFd>,
}

/// As [`launch`], but by the OCI runtime that the bundle names.
pub(crate) fn launch_with_runtime(
    bundle: &Bundle,
    paths: &Paths,
    root: &Root,
    group: &Group,
    warnings: &mut Vec<String>,
) -> Result<Launched, Failure> {
    let oci::Created { init, pidfd, output, input, runtime } =
        oci::create(bundle, paths, root, group, warnings)?;
    let foreign = Some(Foreign { runtime, group: group.clone() });
    Ok(Launched { init, pidfd, channel: None, foreign, started: false, output: Some(output), input })
}

/// Launches the container's init and returns when it is set up. Then init starts the program: at
/// once with `Terminal::Log`, else when it is told to. The caller is in the network namespace to share and in
/// a mount namespace with `root`. Its working directory becomes the root.
pub(crate) fn launch(
    spec: &ContainerSpec,
    root: &Root,
    group: &Group,
    warnings: &mut Vec<String>,
) -> Result<Launched, Failure> {
    let (ours, theirs) = Channel::pair().doing("make the channel to the container")?;
    let streams = streams(spec, root.uid_base)?;
    // The child cannot walk down to the root: directories on the way are closed to it. It gets
    // there by inheriting the working directory.
    rustix::process::fchdir(&root.directory).doing("enter the root")?;
    let namespaces = libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS;
    let (door, closed) = group.door();
    warnings.extend(closed);
    let cloned = sys::clone_into_namespaces(namespaces, door.birthplace());
    let Some(Cloned { pid: init, pidfd, in_group }) = cloned.doing("clone the container's init")? else {
        drop(ours);
        inside::run(spec, streams.inside, &door, &theirs)
    };
    drop(theirs);
    drop(streams.inside);
    if !in_group {
        warnings.extend(door.admit(init));
    }
    rootfs::write_maps(init, root.uid_base)?;
    ours.order(Order::Continue).doing("tell the container's init to go on")?;
    let terminal = match ours.report().doing("hear the container's init")? {
        Some((Report::Ready, terminal)) => terminal,
        Some((Report::Failed(text), _)) => return Err(io::Error::other(text)).doing("set the container up"),
        Some((Report::Started, _)) | None => {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof)).doing("hear the container's init");
        }
    };
    let output = terminal
        .or(streams.output)
        .ok_or_else(|| io::Error::other("no terminal was sent"))
        .doing("set the container up")?;
    Ok(Launched {
        init,
        pidfd,
        channel: Some(ours),
        foreign: None,
        started: !waits_for_client(spec),
        output: Some(output),
        input: streams.input,
    })
}

/// Whether the program must not start before somebody is there to read what it says.
fn waits_for_client(spec: &ContainerSpec) -> bool {
    spec.terminal != Terminal::Log
}

/// The group id inside.
pub(crate) fn group_of(spec: &ContainerSpec) -> u32 {
    spec.group.unwrap_or(spec.user)
}

fn streams(spec: &ContainerSpec, uid_base: u32) -> Result<Streams, Failure> {
    let (user, group) = (rootfs::user(uid_base + spec.user), rootfs::group(uid_base + group_of(spec)));
    let pipe = || -> rustix::io::Result<(OwnedFd, OwnedFd)> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        // Or `/dev/stdout` could not be opened inside.
        rustix::fs::fchown(&read, Some(user), Some(group))?;
        Ok((read, write))
    };
    let step = "make the container's standard streams";
    match spec.terminal {
        Terminal::Pty { .. } => Ok(Streams { inside: None, output: None, input: None }),
        Terminal::Log => {
            let (output, inside) = pipe().doing(step)?;
            Ok(Streams {
                inside: Some(inside::Standard { input: None, output: inside }),
                output: Some(output),
                input: None,
            })
        }
        Terminal::Pipes => {
            let (output, inside_output) = pipe().doing(step)?;
            let (inside_input, input) = pipe().doing(step)?;
            Ok(Streams {
                inside: Some(inside::Standard { input: Some(inside_input), output: inside_output }),
                output: Some(output),
                input: Some(input),
            })
        }
    }
}

/// Namespaces of the caller's own: of mounts, and of the network.
pub(crate) fn enter_own_namespaces(network: Option<&std::path::Path>) -> Result<(), Failure> {
    use rustix::mount::{MountPropagationFlags, mount_change};
    use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};
    if let Some(path) = network {
        let step = format!("enter the network namespace {}", path.display());
        let namespace = std::fs::File::open(path).doing(step.clone())?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).doing(step)?;
    } else {
        let step = "make a network namespace with a loopback device";
        sys::unshare(UnshareFlags::NEWNET).doing(step)?;
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").doing(step)?;
        sys::loopback_up(socket.as_fd()).doing(step)?;
    }
    sys::unshare(UnshareFlags::NEWNS).doing("make a mount namespace")?;
    // What is unmounted on the host goes here, too; nothing from here goes to the host.
    let flags = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", flags).doing("keep mounts from the host")
}
