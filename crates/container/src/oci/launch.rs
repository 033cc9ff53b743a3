//! Running the runtime: create, wait, start.

use super::config::{Surroundings, config};
use crate::bundle::{Bundle, Paths};
use crate::cgroup::Group;
use crate::error::{Doing, Failure};
use crate::launch;
use crate::rootfs::{self, Root};
use engine::{ContainerSpec, Terminal};
use nix::mount::MsFlags;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, IoSliceMut, Read, Seek};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A container that the runtime has created.
pub(crate) struct Created {
    pub init: i32,
    pub pidfd: OwnedFd,
    /// What the program prints; with a terminal, its other side.
    pub output: OwnedFd,
    /// For what the program reads, with `Terminal::Pipes`.
    pub input: Option<OwnedFd>,
    pub runtime: Runtime,
}

/// The runtime and where it keeps what it knows about this one container.
pub(crate) struct Runtime {
    program: PathBuf,
    state: PathBuf,
    id: String,
}

/// The name of the directory for the runtime's files, in the container's.
const DIRECTORY: &str = "oci";

/// Joins control groups, leaves the sight of a version 2 tree that has controllers beside version
/// 1 (which crun takes for a mistake), and becomes the runtime. `$1` is that tree or nothing, then
/// come files to write the process id to, `--`, and the command.
const ENTER: &str = r#"
tree=$1; shift
while [ "$1" != -- ]; do echo $$ >"$1" || :; shift; done
shift
[ -z "$tree" ] || umount "$tree"
exec "$@"
"#;

/// Creates the container in a root that is ready. The caller is in the network namespace to share
/// and in a mount namespace with the root.
pub(crate) fn create(
    bundle: &Bundle,
    paths: &Paths,
    root: &Root,
    group: &Group,
    warnings: &mut Vec<String>,
) -> Result<Created, Failure> {
    let program = bundle.runtime.clone().ok_or_else(|| io::Error::other("none is configured"));
    let program = program.doing("find the OCI runtime")?;
    let spec = &bundle.spec;
    find_command(spec, root)?;
    let directory = paths.directory().join(DIRECTORY);
    let step = "prepare the OCI bundle";
    fs::create_dir_all(&directory).doing(step)?;
    let runtime = Runtime { program, state: directory.join("state"), id: spec.id.to_string() };
    let cgroup = format!("/{}/{}", bundle.cgroup_parent, spec.id);
    let surroundings = Surroundings {
        root: expose(&paths.root()).doing(step)?,
        uid_base: root.uid_base,
        cgroup: (!runtime.is_crun()).then_some(&cgroup),
        has_shell: exists(root, "bin/sh"),
    };
    let text = serde_json::to_vec(&config(bundle, &surroundings)).map_err(io::Error::from).doing(step)?;
    fs::write(directory.join("config.json"), text).doing(step)?;

    let pid_file = directory.join("pid");
    let mut create = runtime.entering(group);
    create.arg("create").arg("--bundle").arg(&directory).arg("--pid-file").arg(&pid_file);
    let (output, input) = with_streams(create, spec, root, &directory, &runtime)?;
    let init = read_pid(&pid_file).doing("read the process id from the OCI runtime")?;
    // Where the runtime puts it is not everywhere we look.
    warnings.extend(group.attach(init.as_raw_nonzero().get()));
    let pidfd = pidfd_open(init, PidfdFlags::empty()).doing("hold the container's init")?;
    Ok(Created { init: init.as_raw_nonzero().get(), pidfd, output, input, runtime })
}

/// Makes the root appear where the container's user may walk to, which it may not in the directory
/// of containers. Seen by this shim and its children alone.
fn expose(root: &Path) -> io::Result<&'static Path> {
    let place = ["/mnt", "/srv", "/opt", "/tmp"].map(Path::new).into_iter().find(|place| place.is_dir());
    let place = place.ok_or(io::ErrorKind::NotFound)?;
    nix::mount::mount(Some(root), place, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?;
    Ok(place)
}

/// Lets the runtime forget a container that has ended, if it was launched by one. crun has made
/// nothing that does not lie in the container's directory.
pub(crate) fn forget(bundle: &Bundle, paths: &Paths) {
    let Some(program) = bundle.runtime.clone() else { return };
    let state = paths.directory().join(DIRECTORY).join("state");
    let runtime = Runtime { program, state, id: bundle.spec.id.to_string() };
    if runtime.is_crun() || !runtime.state.exists() {
        return;
    }
    let mut command = runtime.command();
    command.args(["delete", "--force"]).arg(&runtime.id);
    // What it leaves behind, the shim removes as after its own launcher.
    let _ = run(command, "delete", None);
}

/// Runs `create` with the container's standard streams; gives our ends of them.
fn with_streams(
    mut create: Command,
    spec: &ContainerSpec,
    root: &Root,
    directory: &Path,
    runtime: &Runtime,
) -> Result<(OwnedFd, Option<OwnedFd>), Failure> {
    let step = "make the container's standard streams";
    // The runtime makes its standard input the container user's own; the host's must stay root's.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let null = rustix::fs::openat(&root.directory, "dev/null", flags, Mode::empty()).doing(step)?;
    let pipe = || pipe_with(PipeFlags::CLOEXEC);
    let id = &runtime.id;
    match spec.terminal {
        Terminal::Log => {
            let (output, inside) = pipe().doing(step)?;
            create.stdin(null).stdout(inside.try_clone().doing(step)?).stderr(inside).arg(id);
            run(create, "create", Some(&output))?;
            Ok((output, None))
        }
        Terminal::Pipes => {
            let (output, inside) = pipe().doing(step)?;
            let (inside_input, input) = pipe().doing(step)?;
            create.stdin(inside_input).stdout(inside.try_clone().doing(step)?).stderr(inside).arg(id);
            run(create, "create", Some(&output))?;
            Ok((output, Some(input)))
        }
        Terminal::Pty { columns, rows } => {
            // The runtime mounts the terminal upon it as well.
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let console = rustix::fs::openat(&root.directory, "dev/console", flags, Mode::RUSR | Mode::WUSR)
                .doing(step)?;
            let (user, group) = rootfs::ids(root.uid_base);
            rustix::fs::fchown(&console, Some(user), Some(group)).doing(step)?;
            let (listener, address) = listen(directory).doing("listen for the terminal")?;
            create.stdin(null).arg("--console-socket").arg(address).arg(id);
            run(create, "create", None)?;
            let terminal = receive_terminal(&listener).doing("receive the terminal from the OCI runtime")?;
            launch::set_size(&terminal, columns, rows).doing("set the terminal's size")?;
            Ok((terminal, None))
        }
    }
}

impl Runtime {
    /// Lets the created container run its program.
    pub(crate) fn start(&self) -> Result<(), Failure> {
        let mut command = self.command();
        command.arg("start").arg(&self.id);
        run(command, "start", None)
    }

    fn is_crun(&self) -> bool {
        self.program.file_name().is_some_and(|name| name == "crun")
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments = vec![self.program.clone().into()];
        if self.is_crun() {
            // It stays in the groups that it is started in: ours, limits set.
            arguments.push("--cgroup-manager=disabled".into());
        }
        arguments.extend(["--root".into(), self.state.clone().into()]);
        arguments
    }

    fn command(&self) -> Command {
        self.wrapped(&[])
    }

    /// The runtime, started in the container's control groups if it would not make them itself.
    fn entering(&self, group: &Group) -> Command {
        if self.is_crun() { self.wrapped(&group.process_files()) } else { self.wrapped(&[]) }
    }

    fn wrapped(&self, groups: &[PathBuf]) -> Command {
        let arguments = self.arguments();
        let hidden = if self.is_crun() { hybrid_tree() } else { None };
        let mut command = if hidden.is_some() || !groups.is_empty() {
            let mut command = Command::new("unshare");
            command.args(["--mount", "--", "/bin/sh", "-c", ENTER, "enter"]);
            command.arg(hidden.unwrap_or_default()).args(groups).arg("--").args(arguments);
            command
        } else {
            let mut command = Command::new(&self.program);
            command.args(&arguments[1..]);
            command
        };
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.current_dir("/").stdin(Stdio::null());
        command
    }
}

/// The version 2 tree, where it has controllers although others are mounted as version 1.
fn hybrid_tree() -> Option<PathBuf> {
    let tree = Path::new("/sys/fs/cgroup/unified");
    let controllers = fs::read_to_string(tree.join("cgroup.controllers")).ok()?;
    (!controllers.trim().is_empty()).then(|| tree.to_owned())
}

/// Runs the runtime to its end. What it complains about is in its log or, for `create`, where the
/// container's output goes.
fn run(mut command: Command, verb: &str, output: Option<&OwnedFd>) -> Result<(), Failure> {
    let step = format!("{verb} the container with the OCI runtime");
    // A file, because the container may inherit it and keep a pipe open for as long as it runs.
    let mut complaints = File::from(
        rustix::fs::memfd_create("complaints", rustix::fs::MemfdFlags::CLOEXEC).doing(step.clone())?,
    );
    if output.is_none() {
        let copy = complaints.try_clone().doing(step.clone())?;
        command.stdout(copy.try_clone().doing(step.clone())?).stderr(copy);
    }
    let status = command.status().doing(step.clone())?;
    // Our copies of the container's ends go with it; else the output would never end.
    drop(command);
    if status.success() {
        return Ok(());
    }
    let mut text = String::new();
    let read = match output {
        Some(output) => output.try_clone().and_then(|output| {
            rustix::fs::fcntl_setfl(&output, OFlags::NONBLOCK)?;
            let mut bytes = [0; 4096];
            let count = File::from(output).read(&mut bytes).unwrap_or(0);
            text = String::from_utf8_lossy(&bytes[..count]).into_owned();
            Ok(())
        }),
        None => complaints.rewind().and_then(|()| complaints.read_to_string(&mut text).map(drop)),
    };
    read.doing(step.clone())?;
    Err(io::Error::other(format!("{status}: {}", text.trim()))).doing(step)
}

/// A socket for the terminal, and an address for it that is short however deep the directory is.
fn listen(directory: &Path) -> io::Result<(UnixListener, PathBuf)> {
    let open = rustix::fs::open(directory, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
    let address = PathBuf::from(format!("/proc/{}/fd/{}/console.sock", std::process::id(), open.as_raw_fd()));
    let listener = UnixListener::bind(&address)?;
    // Open until the shim ends: the runtime walks through it.
    std::mem::forget(open);
    Ok((listener, address))
}

/// The runtime sends the terminal before `create` ends.
fn receive_terminal(listener: &UnixListener) -> io::Result<OwnedFd> {
    listener.set_nonblocking(true)?;
    let (stream, _) = listener.accept()?;
    stream.set_nonblocking(false)?;
    let mut bytes = [0; 4096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    recvmsg(&stream, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let sent = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    sent.ok_or_else(|| io::Error::other("nothing was sent"))
}

fn read_pid(file: &Path) -> io::Result<Pid> {
    let number = fs::read_to_string(file)?.trim().parse().map_err(io::Error::other)?;
    Pid::from_raw(number).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The shell that is process 1 would complain to the program's output; an operator is told better.
fn find_command(spec: &ContainerSpec, root: &Root) -> Result<(), Failure> {
    let name = spec.command.first().map_or("", String::as_str);
    let path = spec.env.get("PATH").map_or("/usr/local/bin:/usr/bin:/bin", String::as_str);
    let found = if name.contains('/') {
        exists(root, name) || exists(root, &format!("{}/{name}", spec.working_dir))
    } else {
        path.split(':').any(|directory| exists(root, &format!("{directory}/{name}")))
    };
    if found && !name.is_empty() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::NotFound, format!("{name}: command not found")))
        .doing("start the program")
}

/// Whether there is such a file in the root, links followed as inside.
fn exists(root: &Root, path: &str) -> bool {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    rustix::fs::openat2(&root.directory, path, flags, Mode::empty(), ResolveFlags::IN_ROOT).is_ok()
}
