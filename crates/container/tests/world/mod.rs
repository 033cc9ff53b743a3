//! A host and an outside world made of namespaces.

use container::net::namespace::enter;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long an answer may take that has to come, on a busy machine and after a lost packet.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long an answer is waited for that must not come.
const SILENCE: Duration = Duration::from_millis(700);

/// The host's address on its uplink.
pub(crate) const UPLINK: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

pub(crate) struct World {
    host: Namespace,
    outside: Namespace,
    containers: PathBuf,
}

/// Runs a test on a thread that plays the host.
pub(crate) fn in_world<T>(test: T)
where
    T: AsyncFnOnce(&World) + Send + 'static,
{
    let play = move || {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("needs root");
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).expect("private mounts");
        let directory = Directory::new();
        let world = World {
            host: Namespace::own(),
            outside: Namespace::fresh(),
            containers: directory.path().canonicalize().expect("path"),
        };
        world.connect_outside();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(test(&world));
    };
    if let Err(panic) = std::thread::spawn(play).join() {
        std::panic::resume_unwind(panic);
    }
}

/// A directory that can be removed although namespaces are held by mounts on its files.
struct Directory(tempfile::TempDir);

impl Directory {
    fn new() -> Self {
        let named = tempfile::Builder::new().prefix("kigo-net-").tempdir_in("/var/tmp");
        Self(named.expect("directory"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let mounts = std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap_or_default();
        let targets = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(Path::new);
        for target in targets.filter(|target| target.starts_with(self.path())) {
            let _ = umount2(target, MntFlags::MNT_DETACH);
        }
    }
}

impl World {
    /// The host with its uplink.
    pub(crate) fn host(&self) -> &Namespace {
        &self.host
    }

    /// Everything beyond the uplink, whatever its address.
    pub(crate) fn outside(&self) -> &Namespace {
        &self.outside
    }

    pub(crate) fn containers(&self) -> &Path {
        &self.containers
    }

    /// The names of the host's interfaces.
    pub(crate) fn interfaces(&self) -> Vec<String> {
        let listing = self.host.command("ip", &["-o", "link"]);
        let names = listing.lines().filter_map(|line| line.split(": ").nth(1));
        names.map(|name| name.split('@').next().unwrap_or(name).to_owned()).collect()
    }

    fn connect_outside(&self) {
        let host = |arguments: &str| self.host.command("ip", &arguments.split(' ').collect::<Vec<_>>());
        let beyond = |arguments: &str| self.outside.command("ip", &arguments.split(' ').collect::<Vec<_>>());
        host("link set lo up");
        host("link add up0 type veth peer name out0");
        // By descriptor, because the namespace has no name.
        let (pid, descriptor) = (std::process::id(), self.outside.file.as_raw_fd());
        host(&format!("link set out0 netns /proc/{pid}/fd/{descriptor}"));
        host("addr add 198.51.100.1/24 dev up0");
        host("link set up0 up");
        host("route add default via 198.51.100.2");
        beyond("link set lo up");
        beyond("addr add 198.51.100.2/24 dev out0");
        beyond("link set out0 up");
        // The world has every address that the tests talk to.
        for address in super::ALL {
            beyond(&format!("addr add {address}/32 dev lo"));
        }
    }
}

pub(crate) struct Namespace {
    file: Arc<File>,
}

impl Namespace {
    pub(crate) fn open(path: &Path) -> Self {
        Self { file: Arc::new(File::open(path).expect("namespace")) }
    }

    fn own() -> Self {
        Self::open(Path::new("/proc/thread-self/ns/net"))
    }

    fn fresh() -> Self {
        let make = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("needs root");
            Self::own()
        };
        std::thread::spawn(make).join().expect("thread")
    }

    /// Runs something inside.
    pub(crate) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        self.spawn(work).join().expect("thread")
    }

    fn spawn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        let file = Arc::clone(&self.file);
        std::thread::spawn(move || {
            enter(&file).expect("enter");
            work()
        })
    }

    /// Runs a program inside and gives what it prints.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        command.args(arguments);
        let output = self.run(move || command.output()).expect(program);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {error}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn route(&self, to: &str, via: Ipv4Addr) {
        self.command("ip", &["route", "add", to, "via", &via.to_string()]);
    }

    pub(crate) fn add_address(&self, address: Ipv4Addr) {
        self.command("ip", &["addr", "add", &format!("{address}/32"), "dev", "lo"]);
    }

    /// Connects and gets an echo, or is told that this is refused.
    pub(crate) fn connect(&self, address: impl Into<IpAddr>, port: u16) -> Result<(), ErrorKind> {
        self.connect_within(PATIENCE, address.into(), port)
    }

    /// The same where nobody may ever answer.
    pub(crate) fn try_connect(&self, address: impl Into<IpAddr>, port: u16) -> Result<(), ErrorKind> {
        self.connect_within(SILENCE, address.into(), port)
    }

    fn connect_within(&self, patience: Duration, address: IpAddr, port: u16) -> Result<(), ErrorKind> {
        self.run(move || {
            let stream = TcpStream::connect_timeout(&SocketAddr::from((address, port)), patience);
            let mut connection = Connection { stream: stream.map_err(|error| error.kind())? };
            if connection.echoes() { Ok(()) } else { Err(ErrorKind::UnexpectedEof) }
        })
    }

    pub(crate) fn open_connection(&self, address: Ipv4Addr, port: u16) -> Connection {
        Connection { stream: self.run(move || TcpStream::connect((address, port))).expect("connect") }
    }

    /// Sends a datagram and gets its echo.
    pub(crate) fn ask_udp(
        &self,
        address: Ipv4Addr,
        port: u16,
        from: Option<Ipv4Addr>,
    ) -> Result<(), ErrorKind> {
        self.ask_udp_within(PATIENCE, address, port, from)
    }

    /// The same where nobody may ever answer.
    pub(crate) fn try_udp(
        &self,
        address: Ipv4Addr,
        port: u16,
        from: Option<Ipv4Addr>,
    ) -> Result<(), ErrorKind> {
        self.ask_udp_within(SILENCE, address, port, from)
    }

    fn ask_udp_within(
        &self,
        patience: Duration,
        address: Ipv4Addr,
        port: u16,
        from: Option<Ipv4Addr>,
    ) -> Result<(), ErrorKind> {
        self.run(move || {
            let ask = || {
                let socket = UdpSocket::bind((from.unwrap_or(Ipv4Addr::UNSPECIFIED), 0))?;
                socket.set_read_timeout(Some(patience))?;
                socket.connect((address, port))?;
                socket.send(b"question")?;
                socket.recv(&mut [0; 64])
            };
            ask().map(drop).map_err(|error: std::io::Error| error.kind())
        })
    }

    /// Listens and echoes until the value is dropped.
    pub(crate) fn listen(&self, address: impl Into<IpAddr>, port: u16) -> Listener {
        let address = address.into();
        let listener = self.run(move || TcpListener::bind((address, port))).expect("listen");
        let address = listener.local_addr().expect("address");
        let peer = Arc::new(Mutex::new(None));
        let closing = Arc::new(AtomicBool::new(false));
        let (seen, end) = (Arc::clone(&peer), Arc::clone(&closing));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(mut stream) = stream else { return };
                *seen.lock().expect("lock") = stream.peer_addr().ok().map(|address| address.ip());
                std::thread::spawn(move || {
                    let mut buffer = [0; 64];
                    while let Ok(count @ 1..) = stream.read(&mut buffer) {
                        let _ = stream.write_all(&buffer[..count]);
                    }
                });
            }
        });
        Listener { namespace: Arc::clone(&self.file), address, peer, closing, thread: Some(thread) }
    }

    /// Echoes datagrams until the value is dropped.
    pub(crate) fn echo_udp(&self, address: Ipv4Addr, port: u16) -> Echo {
        let socket = self.run(move || UdpSocket::bind((address, port))).expect("bind");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("timeout");
        let closing = Arc::new(AtomicBool::new(false));
        let heard = Arc::new(AtomicUsize::new(0));
        let (end, counter) = (Arc::clone(&closing), Arc::clone(&heard));
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 64];
            while !end.load(Ordering::SeqCst) {
                if let Ok((count, peer)) = socket.recv_from(&mut buffer) {
                    counter.fetch_add(1, Ordering::SeqCst);
                    let _ = socket.send_to(&buffer[..count], peer);
                }
            }
        });
        Echo { heard, closing, thread: Some(thread) }
    }
}

pub(crate) struct Connection {
    stream: TcpStream,
}

impl Connection {
    /// Whether what is sent comes back.
    pub(crate) fn echoes(&mut self) -> bool {
        let mut buffer = [0; 4];
        let mut talk = || {
            self.stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            self.stream.write_all(b"ping")?;
            self.stream.read_exact(&mut buffer)
        };
        talk().is_ok() && buffer == *b"ping"
    }
}

pub(crate) struct Listener {
    namespace: Arc<File>,
    address: SocketAddr,
    peer: Arc<Mutex<Option<IpAddr>>>,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// The address of whoever connected last.
    pub(crate) fn last_peer(&self) -> Ipv4Addr {
        match *self.peer.lock().expect("lock") {
            Some(IpAddr::V4(address)) => address,
            other => panic!("no IPv4 peer: {other:?}"),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        // Wakes the thread, which is in accept().
        let address = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => {
                SocketAddr::from((Ipv4Addr::LOCALHOST, self.address.port()))
            }
            _ => self.address,
        };
        let woken =
            Namespace { file: Arc::clone(&self.namespace) }.spawn(move || TcpStream::connect(address)).join();
        if matches!(woken, Ok(Ok(_)))
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

pub(crate) struct Echo {
    heard: Arc<AtomicUsize>,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    /// How many datagrams arrived, answered or not.
    pub(crate) fn heard(&self) -> usize {
        self.heard.load(Ordering::SeqCst)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
