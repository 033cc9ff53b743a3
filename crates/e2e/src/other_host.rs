//! A second host, in a network namespace of its own: builds and dynos reach public addresses only,
//! so what they are to download must not lie on this machine's own.

use crate::Output;
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// An address that is reserved for documentation (RFC 5737), so that nobody misses it.
const ADDRESS: &str = "198.51.100.10";
const PORT: u16 = 80;

/// Files as they are, and manifests of images as such, so that a registry can be made of files.
const WEB: &str = "
import http.server, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def guess_type(self, path):
        manifest = '/manifests/' in path
        return 'application/vnd.oci.image.manifest.v1+json' if manifest else super().guess_type(path)
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
";

/// A web server on the other host, with a few files.
pub struct OtherHost {
    namespace: String,
    folder: PathBuf,
    web: Option<Child>,
    /// Held as long as the host is there: its address is the machine's only one of that kind. Given
    /// back last.
    _turn: File,
}

/// Locked by who has the other host.
const TURN: &str = "/var/tmp/kigo-e2e-other-host.lock";

impl OtherHost {
    /// Makes the host and serves these files on it, once nobody else has it.
    pub fn start(files: &[(&str, &[u8])]) -> Result<Self> {
        let namespace = format!("kigo-e2e-{}", std::process::id());
        let folder = PathBuf::from(format!("/var/tmp/{namespace}-web"));
        let turn = File::create(TURN).with_context(|| format!("cannot open {TURN}"))?;
        turn.lock().with_context(|| format!("cannot lock {TURN}"))?;
        let mut host = Self { namespace, folder, web: None, _turn: turn };
        host.prepare(files)?;
        Ok(host)
    }

    /// Where the files are.
    pub fn url(&self) -> String {
        format!("http://{ADDRESS}")
    }

    fn prepare(&mut self, files: &[(&str, &[u8])]) -> Result<()> {
        fs::create_dir_all(&self.folder)?;
        for (name, bytes) in files {
            let path = self.folder.join(name);
            fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
            fs::write(path, bytes)?;
        }
        let name = self.namespace.clone();
        ip(&["netns", "add", &name])?;
        ip(&["link", "add", "kge2e", "type", "veth", "peer", "name", "eth0", "netns", &name])?;
        ip(&["address", "add", "198.51.100.9/30", "dev", "kge2e"])?;
        ip(&["link", "set", "kge2e", "up"])?;
        ip(&["-netns", &name, "address", "add", &format!("{ADDRESS}/30"), "dev", "eth0"])?;
        ip(&["-netns", &name, "link", "set", "eth0", "up"])?;
        ip(&["-netns", &name, "route", "add", "default", "via", "198.51.100.9"])?;
        let web = Command::new("ip")
            .args(["netns", "exec", &name, "python3", "-c", WEB, ADDRESS, &PORT.to_string()])
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the other host's web server")?;
        self.web = Some(web);
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect((ADDRESS, PORT)).is_err() {
            if Instant::now() > deadline {
                bail!("the other host's web server does not listen");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

fn ip(words: &[&str]) -> Result<()> {
    Output::of(Command::new("ip").args(words))?.ok().map(drop)
}

impl Drop for OtherHost {
    fn drop(&mut self) {
        if let Some(web) = &mut self.web {
            let _ = web.kill();
            let _ = web.wait();
        }
        // The link goes with its namespace; it is named in case the namespace was never made.
        let _ = ip(&["netns", "delete", &self.namespace]);
        let _ = ip(&["link", "delete", "kge2e"]);
        let _ = fs::remove_dir_all(&self.folder);
    }
}
