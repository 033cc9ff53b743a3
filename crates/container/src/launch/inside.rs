//! What the new init does before it is one: takes its root and gives up its powers. Runs in the
//! cloned child; the host is still in sight when it begins and out of reach when it ends.

use super::confine;
use super::message::{Channel, Order, Report};
use crate::cgroup::Door;
use crate::error::{Doing, Failure};
use crate::init;
use crate::rootfs;
use crate::sys::{self, MountChange};
use engine::{ContainerSpec, Terminal};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, open_tree, unmount,
};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::thread::UnshareFlags;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Standard streams made outside.
pub(super) struct Standard {
    /// `None` for no input.
    pub input: Option<OwnedFd>,
    pub output: OwnedFd,
}

/// What init is called in a list of processes.
const TITLE: &str = "kigo-init";
const TITLE_C: &std::ffi::CStr = c"kigo-init";

/// Parts of `/proc` that show or steer the machine rather than the container: made read-only, or
/// hidden. Docker's lists (moby, oci/defaults.go).
const READ_ONLY: [&str; 5] = ["proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"];
const HIDDEN: [&str; 10] = [
    "proc/acpi",
    "proc/asound",
    "proc/interrupts",
    "proc/kcore",
    "proc/keys",
    "proc/latency_stats",
    "proc/sched_debug",
    "proc/scsi",
    "proc/timer_list",
    "proc/timer_stats",
];

/// Sets the container up, waits for the shim's word if there has to be one, and stays as its init.
pub(super) fn run(spec: &ContainerSpec, standard: Option<Standard>, door: &Door, channel: &Channel) -> ! {
    let prepared = prepare(spec, standard, door, channel);
    match prepared {
        Ok(program) => init::run(program, channel),
        Err(failure) => {
            // If nobody hears it, the code still tells.
            let _ = channel.send_report(&Report::Failed(failure.story()), None);
            sys::exit_now(init::SETUP_FAILED)
        }
    }
}

fn prepare(
    spec: &ContainerSpec,
    standard: Option<Standard>,
    door: &Door,
    channel: &Channel,
) -> Result<init::Program, Failure> {
    set_parent_process_death_signal(Some(Signal::KILL)).doing("tie init to its shim")?;
    door.enter().doing("enter the container's control groups")?;
    let streams = standard.iter().flat_map(|standard| standard.input.iter().chain([&standard.output]));
    let keep: Vec<_> = streams.map(AsFd::as_fd).chain([channel.as_fd()]).collect();
    sys::close_all_but(&keep).doing("close the shim's files")?;
    // The shim's arguments say where on the host the container's directory is.
    sys::replace_arguments(TITLE).doing("hide the shim's arguments")?;
    rustix::thread::set_name(TITLE_C).doing("hide the shim's name")?;
    expect(channel, Order::Continue)?;
    rustix::thread::set_thread_res_gid(rustix::fs::Gid::ROOT, rustix::fs::Gid::ROOT, rustix::fs::Gid::ROOT)
        .doing("become the container's root")?;
    rustix::thread::set_thread_res_uid(rustix::fs::Uid::ROOT, rustix::fs::Uid::ROOT, rustix::fs::Uid::ROOT)
        .doing("become the container's root")?;
    // Now that the shim has put us into our control group, it can be the root of what we see.
    sys::unshare(UnshareFlags::NEWCGROUP).doing("make a control group namespace")?;
    process_information()?;
    terminals()?;
    take_root()?;
    let null = File::options().read(true).write(true).open("/dev/null").doing("open /dev/null")?;
    for stream in 0..=2 {
        sys::redirect(null.as_fd(), stream).doing("close the shim's log")?;
    }
    nix::unistd::sethostname(&spec.hostname).doing("set the host name")?;
    let program = init::Program::new(spec).doing("read the command")?;
    confine::resources()?;
    confine::identity(spec.user, super::group_of(spec), spec.power)?;
    // A change of user has untied us.
    set_parent_process_death_signal(Some(Signal::KILL)).doing("tie init to its shim")?;
    let (program, terminal) = match (spec.terminal, standard) {
        (Terminal::Pty { columns, rows }, _) => {
            let (ours, theirs) = terminal(columns, rows).doing("make the terminal")?;
            (program.on_terminal(theirs), Some(ours))
        }
        (_, Some(standard)) => {
            let input = match standard.input {
                Some(input) => input,
                None => null.into(),
            };
            (program.on_streams(input, standard.output), None)
        }
        (_, None) => {
            return Err(io::Error::from(io::ErrorKind::InvalidInput)).doing("find the standard streams");
        }
    };
    confine::system_calls(spec.power)?;
    channel.send_report(&Report::Ready, terminal.as_ref().map(AsFd::as_fd)).doing("report to the shim")?;
    drop(terminal);
    if super::waits_for_client(spec) {
        expect(channel, Order::Start)?;
    }
    Ok(program)
}

fn expect(channel: &Channel, order: Order) -> Result<(), Failure> {
    match channel.wait_order().doing("hear the shim")? {
        Some(heard) if heard == order => Ok(()),
        // The shim is gone, and with it all reason to go on.
        _ => sys::exit_now(init::SETUP_FAILED),
    }
}

/// Mounts `/proc` of the new process namespace, and covers parts of it.
fn process_information() -> Result<(), Failure> {
    let step = "set up /proc";
    let harmless = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let filesystem = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC).doing(step)?;
    fsconfig_set_string(filesystem.as_fd(), "source", "proc").doing(step)?;
    fsconfig_create(filesystem.as_fd()).doing(step)?;
    let mount = fsmount(filesystem.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, harmless).doing(step)?;
    rootfs::attach(&mount, rootfs::directory(CWD, "proc").doing(step)?).doing(step)?;
    for path in READ_ONLY {
        let Some(target) = existing(path).doing(step)? else { continue };
        let change = MountChange {
            read_only: true,
            no_suid: true,
            no_devices: true,
            no_exec: true,
            recursive: true,
            idmap: None,
        };
        let tree = open_tree(&target, "", clone_tree() | OpenTreeFlags::AT_RECURSIVE)
            .doing(format!("cover /{path}"))?;
        sys::change_mount(tree.as_fd(), change).doing(format!("cover /{path}"))?;
        rootfs::attach(&tree, &target).doing(format!("cover /{path}"))?;
    }
    for path in HIDDEN {
        let Some(target) = existing(path).doing(step)? else { continue };
        let is_directory = rustix::fs::fstat(&target)
            .map(|status| rustix::fs::FileType::from_raw_mode(status.st_mode).is_dir())
            .doing(format!("hide /{path}"))?;
        let cover = if is_directory { empty_directory() } else { open_tree(CWD, "dev/null", clone_only()) };
        rootfs::attach(cover.doing(format!("hide /{path}"))?, &target).doing(format!("hide /{path}"))?;
    }
    Ok(())
}

fn existing(path: &str) -> rustix::io::Result<Option<OwnedFd>> {
    match rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
        Ok(target) => Ok(Some(target)),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

fn clone_only() -> OpenTreeFlags {
    OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC
}

fn clone_tree() -> OpenTreeFlags {
    clone_only() | OpenTreeFlags::AT_EMPTY_PATH
}

fn empty_directory() -> rustix::io::Result<OwnedFd> {
    let filesystem = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(filesystem.as_fd(), "size", "4k")?;
    fsconfig_set_string(filesystem.as_fd(), "mode", "555")?;
    fsconfig_create(filesystem.as_fd())?;
    fsmount(filesystem.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY)
}

/// Mounts `/dev/pts`: terminals of this container only.
fn terminals() -> Result<(), Failure> {
    let step = "set up /dev/pts";
    let filesystem = fsopen("devpts", FsOpenFlags::FSOPEN_CLOEXEC).doing(step)?;
    for (key, value) in [("source", "devpts"), ("ptmxmode", "0666"), ("mode", "0620"), ("gid", "5")] {
        fsconfig_set_string(filesystem.as_fd(), key, value).doing(step)?;
    }
    fsconfig_create(filesystem.as_fd()).doing(step)?;
    let flags = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let mount = fsmount(filesystem.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, flags).doing(step)?;
    rootfs::attach(&mount, rootfs::directory(CWD, "dev/pts").doing(step)?).doing(step)
}

/// Makes the working directory the root, and the host's file systems unreachable.
fn take_root() -> Result<(), Failure> {
    let step = "take the root";
    // The kernel lets nobody move a mount that came from a more powerful namespace: move a copy.
    let tree = open_tree(CWD, "", clone_tree() | OpenTreeFlags::AT_RECURSIVE).doing(step)?;
    let here = rustix::fs::open(".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .doing(step)?;
    rootfs::attach(&tree, &here).doing(step)?;
    rustix::process::fchdir(&tree).doing(step)?;
    rustix::process::pivot_root(".", ".").doing(step)?;
    // The old root now lies on top of the new one.
    unmount(".", UnmountFlags::DETACH).doing("let go of the host's root")?;
    rustix::process::chdir("/").doing(step)
}

/// A pseudo-terminal of the container: the shim's side and the program's.
fn terminal(columns: u16, rows: u16) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    // The link leads to the container's own instance; `openpt` would too, by the same path.
    let ours = rustix::fs::open("/dev/ptmx", OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    unlockpt(&ours)?;
    let theirs = ioctl_tiocgptpeer(&ours, flags)?;
    set_size(&ours, columns, rows)?;
    Ok((ours, theirs))
}

/// Sets the size of a terminal.
pub(crate) fn set_size(terminal: impl AsFd, columns: u16, rows: u16) -> io::Result<()> {
    let size = rustix::termios::Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(rustix::termios::tcsetwinsize(terminal, size)?)
}
