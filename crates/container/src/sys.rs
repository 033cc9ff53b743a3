//! System calls that no safe wrapper covers. Everything here checks what it is given and what the
//! kernel answers; nothing above this module says `unsafe`.
#![allow(unsafe_code, reason = "the one place of the workspace for it; every block says why it is sound")]

use std::ffi::{CStr, CString};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Turns the -1 of a system call into its error.
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Which side of a fork this is.
pub(crate) enum Forked {
    Parent { child: i32 },
    Child,
}

/// `fork(2)`. Only for processes of one thread: the child may then do anything.
pub(crate) fn fork() -> io::Result<Forked> {
    only_thread()?;
    // SAFETY: there is no other thread whose locks the child could inherit half held.
    match check(unsafe { libc::fork() }.into())? {
        0 => Ok(Forked::Child),
        child => Ok(Forked::Parent { child: child as i32 }),
    }
}

/// As [`fork`], with the child born in the control group (of version 2) whose directory is given, if
/// the kernel can do that. Tells whether it was.
pub(crate) fn fork_into(group: Option<BorrowedFd<'_>>) -> io::Result<(Forked, bool)> {
    let Some(group) = group else { return Ok((fork()?, false)) };
    only_thread()?;
    let arguments = CloneArguments { exit_signal: libc::SIGCHLD as u64, ..CloneArguments::default() };
    match clone3(&arguments.into_group(group)) {
        Ok(0) => Ok((Forked::Child, true)),
        Ok(child) => Ok((Forked::Parent { child }, true)),
        Err(_) => Ok((fork()?, false)),
    }
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

impl CloneArguments {
    fn into_group(self, group: BorrowedFd<'_>) -> Self {
        const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
        Self { flags: self.flags | CLONE_INTO_CGROUP, cgroup: group.as_raw_fd() as u64, ..self }
    }
}

/// `clone3(2)` without a stack: the child goes on here, with 0. Only for processes of one thread, and
/// without flags that share memory.
fn clone3(arguments: &CloneArguments) -> io::Result<i32> {
    // SAFETY: the structure is as `clone3` wants it, of the size that is passed; without CLONE_VM
    // and CLONE_THREAD this is a fork of a process that has one thread. `pidfd` is zero or points to
    // a file descriptor that outlives the call.
    let pid = unsafe {
        libc::syscall(libc::SYS_clone3, std::ptr::from_ref(arguments), size_of::<CloneArguments>())
    };
    Ok(check(pid)? as i32)
}

/// A process that was cloned.
pub(crate) struct Cloned {
    pub pid: i32,
    pub pidfd: OwnedFd,
    /// It was born in the group that it was to be born in.
    pub in_group: bool,
}

/// `clone3(2)` with `flags` of namespaces, and into the control group `group` if the kernel can do
/// that; as [`fork`] otherwise. `None` in the child.
pub(crate) fn clone_into_namespaces(flags: i32, group: Option<BorrowedFd<'_>>) -> io::Result<Option<Cloned>> {
    only_thread()?;
    let mut pidfd: RawFd = -1;
    let arguments = CloneArguments {
        flags: (flags | libc::CLONE_PIDFD) as u64,
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArguments::default()
    };
    let born = group.and_then(|group| clone3(&arguments.into_group(group)).ok());
    let pid = match born {
        Some(pid) => pid,
        None => clone3(&arguments)?,
    };
    if pid == 0 {
        return Ok(None);
    }
    // SAFETY: the kernel stored a new file descriptor there, owned by nobody else.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Some(Cloned { pid, pidfd, in_group: born.is_some() }))
}

/// Fails when this process has more than one thread: a fork would copy locks that other threads
/// hold, and nobody would ever release them.
fn only_thread() -> io::Result<()> {
    if std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count) == 1 {
        return Ok(());
    }
    Err(io::Error::other("a process with several threads cannot be forked safely"))
}

#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

const MOUNT_ATTR_RDONLY: u64 = 0x1;
const MOUNT_ATTR_NOSUID: u64 = 0x2;
const MOUNT_ATTR_NODEV: u64 = 0x4;
const MOUNT_ATTR_NOEXEC: u64 = 0x8;
const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;

/// What to change of a mount.
#[derive(Clone, Copy, Default)]
pub(crate) struct MountChange<'a> {
    pub read_only: bool,
    pub no_suid: bool,
    pub no_devices: bool,
    pub no_exec: bool,
    /// Shift owners as this user namespace maps them.
    pub idmap: Option<BorrowedFd<'a>>,
    /// The mounts below it as well.
    pub recursive: bool,
}

/// `mount_setattr(2)` on the mount that `tree` refers to.
pub(crate) fn change_mount(tree: BorrowedFd<'_>, change: MountChange<'_>) -> io::Result<()> {
    let flag = |wanted, bit| if wanted { bit } else { 0 };
    let attributes = MountAttributes {
        set: flag(change.read_only, MOUNT_ATTR_RDONLY)
            | flag(change.no_suid, MOUNT_ATTR_NOSUID)
            | flag(change.no_devices, MOUNT_ATTR_NODEV)
            | flag(change.no_exec, MOUNT_ATTR_NOEXEC)
            | flag(change.idmap.is_some(), MOUNT_ATTR_IDMAP),
        clear: 0,
        propagation: 0,
        user_namespace: change.idmap.map_or(0, |fd| fd.as_raw_fd() as u64),
    };
    let flags = libc::AT_EMPTY_PATH | if change.recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: an empty path, a structure of the size that is passed, file descriptors that live.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    })?;
    Ok(())
}

/// `unshare(2)`; not for `CLONE_FILES`.
pub(crate) fn unshare(flags: rustix::thread::UnshareFlags) -> io::Result<()> {
    if flags.contains(rustix::thread::UnshareFlags::FILES) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: unsafe only for what was just refused.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

/// Installs a seccomp filter, an array of `struct sock_filter` in this machine's byte order.
pub(crate) fn install_seccomp_filter(program: &[u8]) -> io::Result<()> {
    let count = program.len() / size_of::<libc::sock_filter>();
    // The kernel reads the array wherever it lies, but a reference of Rust's must be aligned.
    let mut aligned = vec![libc::sock_filter { code: 0, jt: 0, jf: 0, k: 0 }; count];
    for (instruction, bytes) in aligned.iter_mut().zip(program.chunks_exact(size_of::<libc::sock_filter>())) {
        *instruction = libc::sock_filter {
            code: u16::from_ne_bytes([bytes[0], bytes[1]]),
            jt: bytes[2],
            jf: bytes[3],
            k: u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        };
    }
    let program = libc::sock_fprog {
        len: u16::try_from(count).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: aligned.as_mut_ptr(),
    };
    // SAFETY: the program's length and pointer are those of a live vector, which the kernel copies.
    check(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) })?;
    Ok(())
}

/// Closes every file descriptor from 3 on except those in `keep`. For a freshly cloned child that
/// never returns to the code that owns what it closes here.
pub(crate) fn close_all_but(keep: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut keep: Vec<u32> = keep.iter().map(|fd| fd.as_raw_fd() as u32).collect();
    keep.sort_unstable();
    let mut first = 3;
    for kept in keep.into_iter().filter(|kept| *kept >= 3).chain([u32::MAX]) {
        if first < kept {
            // SAFETY: the callers' owners of these descriptors are never run or dropped again.
            check(unsafe { libc::syscall(libc::SYS_close_range, first, kept - 1, 0) })?;
        }
        first = kept.saturating_add(1);
    }
    Ok(())
}

/// Makes `target` (0, 1 or 2) refer to what `source` does.
pub(crate) fn redirect(source: BorrowedFd<'_>, target: RawFd) -> io::Result<()> {
    if !(0..=2).contains(&target) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the three standard streams are owned by nobody.
    check(unsafe { libc::dup2(source.as_raw_fd(), target) }.into())?;
    Ok(())
}

/// Standard input as a file descriptor of one's own, with `/dev/null` in its place.
pub(crate) fn take_standard_input() -> io::Result<OwnedFd> {
    // SAFETY: `F_DUPFD_CLOEXEC` makes a new file descriptor that is ours alone.
    let taken = check(unsafe { libc::fcntl(0, libc::F_DUPFD_CLOEXEC, 3) }.into())?;
    // SAFETY: as above.
    let taken = unsafe { OwnedFd::from_raw_fd(taken as RawFd) };
    let null = std::fs::File::open("/dev/null")?;
    redirect(std::os::fd::AsFd::as_fd(&null), 0)?;
    Ok(taken)
}

/// `execve(2)`: returns only when it failed.
pub(crate) fn execute(program: &CStr, arguments: &[CString], environment: &[CString]) -> io::Error {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: arrays of C strings, each ended by a null pointer, all alive during the call.
    unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// Ends this process without running anything that was registered for its end.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Blocks every signal, so that they can be waited for with [`wait_for_signal`].
pub(crate) fn block_signals() -> io::Result<()> {
    change_mask(libc::SIG_BLOCK)
}

/// The opposite of [`block_signals`], for a program about to be executed. Signals that this
/// process ignores (Rust ignores SIGPIPE) are put back to their default.
pub(crate) fn restore_signals() -> io::Result<()> {
    for number in 1..=64 {
        // SAFETY: the default action is always valid; numbers that cannot be changed fail.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
    change_mask(libc::SIG_UNBLOCK)
}

fn change_mask(how: i32) -> io::Result<()> {
    // SAFETY: a set on the stack, filled before it is used.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        check(libc::sigprocmask(how, &raw const set, std::ptr::null_mut()).into())?;
    }
    Ok(())
}

/// The next blocked signal that arrives.
pub(crate) fn wait_for_signal() -> io::Result<i32> {
    // SAFETY: sets and structures on the stack; the kernel fills what it is given.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        let mut information: libc::siginfo_t = std::mem::zeroed();
        Ok(check(libc::sigwaitinfo(&raw const set, &raw mut information).into())? as i32)
    }
}

/// How a child ended.
pub(crate) struct Reaped {
    pub pid: i32,
    /// As a shell reports it: exit code, or 128 plus the signal.
    pub code: i32,
}

/// A child that has ended, without waiting; `None` when there is none now.
pub(crate) fn reap_any() -> Option<Reaped> {
    reap(-1)
}

/// As [`reap_any`], for one child. -1 is any.
pub(crate) fn reap(child: i32) -> Option<Reaped> {
    let mut status = 0;
    // SAFETY: a place on the stack for the answer.
    let pid = unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) };
    (pid > 0).then(|| Reaped {
        pid,
        code: if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) },
    })
}

/// Whether the kernel reaps this process's children when they end. If so, none can be waited for.
pub(crate) fn reap_automatically(automatically: bool) {
    let action = if automatically { libc::SIG_IGN } else { libc::SIG_DFL };
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGCHLD, action) };
}

/// `kill(2)`. -1 is everybody this process may signal, but itself and init.
pub(crate) fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: plain numbers.
    check(unsafe { libc::kill(pid, signal) }.into())?;
    Ok(())
}

/// Replaces what `ps` shows of this process: its arguments, in place, by `title`. What was longer
/// than the title becomes zero bytes. Nothing may look at this process's arguments afterwards.
pub(crate) fn replace_arguments(title: &str) -> io::Result<()> {
    // proc(5): fields 48 and 49 of `stat`, `arg_start` and `arg_end`, the second field in brackets.
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let mut fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').skip(48 - 3);
    let mut address =
        || fields.next().and_then(|field| field.trim().parse::<usize>().ok()).filter(|at| *at != 0);
    let (Some(start), Some(end)) = (address(), address()) else { return Err(io::ErrorKind::NotFound.into()) };
    for (offset, at) in (start..end).enumerate() {
        let byte = title.as_bytes().get(offset).copied().unwrap_or(0);
        // SAFETY: the kernel says that the process's arguments lie there; this process is a fresh
        // child of one thread and holds no reference to them.
        unsafe { (at as *mut u8).write_volatile(byte) };
    }
    Ok(())
}

/// Drops capability `number` from the bounding set; false when the kernel knows no such number.
pub(crate) fn drop_bounding_capability(number: u32) -> io::Result<bool> {
    // SAFETY: plain numbers.
    match check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number), 0, 0, 0) }.into()) {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(false),
        Err(error) => Err(error),
    }
}

/// `LOOP_CTL_GET_FREE` on `/dev/loop-control`: the number of a free loop device.
pub(crate) fn free_loop_device(control: BorrowedFd<'_>) -> io::Result<i32> {
    const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4C82;
    // SAFETY: this request takes no argument.
    Ok(check(unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE as _) }.into())? as i32)
}

/// `LOOP_CONFIGURE` (Linux 5.8): binds `file` to the loop device of that block size, to be freed when
/// it is no longer mounted.
pub(crate) fn configure_loop_device(
    device: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    block_size: u32,
    direct: bool,
) -> io::Result<()> {
    const LOOP_CONFIGURE: libc::c_ulong = 0x4C0A;
    const LO_FLAGS_AUTOCLEAR: u32 = 4;
    const LO_FLAGS_DIRECT_IO: u32 = 16;
    // `struct loop_config`: fd, block size, `struct loop_info64` (232 bytes, flags at 52), 8 words.
    const SIZE: usize = 4 + 4 + 232 + 64;
    const FLAGS: usize = 8 + 52;
    let mut config = [0_u8; SIZE];
    config[..4].copy_from_slice(&file.as_raw_fd().to_ne_bytes());
    config[4..8].copy_from_slice(&block_size.to_ne_bytes());
    let flags = LO_FLAGS_AUTOCLEAR | if direct { LO_FLAGS_DIRECT_IO } else { 0 };
    config[FLAGS..FLAGS + 4].copy_from_slice(&flags.to_ne_bytes());
    // SAFETY: the kernel reads as many bytes as its structure has, which the array is long enough for.
    check(unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE as _, config.as_ptr()) }.into())?;
    Ok(())
}

/// Sets the interface named `lo` up in the network namespace of `socket`.
pub(crate) fn loopback_up(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: a zeroed request is valid; the name fits and stays terminated.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the request lives on the stack during the call.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) }.into())?;
    Ok(())
}
