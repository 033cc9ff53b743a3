//! The router against nginx, which forwards the same requests to the same dyno with the same
//! headers and writes the same kind of access log.

use crate::figures::{median, processor_time, ratio, say};
use anyhow::{Context, Result, ensure};
use e2e::{App, Output, Server};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Many short rounds: what else the machine does then falls on both alike.
const ROUNDS: usize = 15;
const SECONDS: u32 = 2;
const CONNECTIONS: u32 = 64;

/// One program's figures, a number for each round.
#[derive(Default)]
struct Figures {
    requests_per_second: Vec<f64>,
    processor_microseconds: Vec<f64>,
}

pub(crate) fn router() -> Result<()> {
    crate::block_on(async {
        let server = Server::start("bench-router", &[("KIGO_ROUTER_THREADS", "1")]).await?;
        let app = App::tiny(&server, "bench-app", "bench")?;
        app.write(
            "web.js",
            "const body = 'x'.repeat(1024);
const where = () => JSON.stringify({ address: Object.values(require('os').networkInterfaces()).flat().find((one) => one.family === 'IPv4' && !one.internal).address, port: process.env.PORT });
const server = require('http').createServer((req, res) => res.end(req.url === '/where' ? where() : body));
server.keepAliveTimeout = 95000;
server.listen(process.env.PORT);
",
        )?;
        app.commit("bench")?;
        app.push()?.ok()?;
        app.up(&["web.1"]).await?;
        let place: Value = serde_json::from_str(&app.get("/where").await?.body)?;
        let dyno = format!(
            "{}:{}",
            place["address"].as_str().context("address")?,
            place["port"].as_str().context("port")?
        );
        let nginx = Nginx::start(&server.folder("nginx"), &dyno)?;
        let (mut ours, mut theirs) = (Figures::default(), Figures::default());
        for round in 0..ROUNDS {
            let ours_first = round % 2 == 0;
            for is_ours in [ours_first, !ours_first] {
                if is_ours {
                    measure(&mut ours, server.pid()?, &server.router)?;
                } else {
                    measure(&mut theirs, nginx.worker()?, &nginx.address)?;
                }
            }
        }
        report(&ours, &theirs);
        drop(nginx);
        server.purge()
    })
}

fn measure(figures: &mut Figures, pid: u32, address: &str) -> Result<()> {
    let before = processor_time(pid)?;
    let wrk = Output::of(Command::new("wrk").args([
        "--threads=1",
        &format!("--connections={CONNECTIONS}"),
        &format!("--duration={SECONDS}s"),
        "--header=Host: bench-app.localhost",
        &format!("http://{address}/"),
    ]))?
    .ok()?;
    ensure!(!wrk.stdout.contains("Non-2xx"), "errors under load: {}", wrk.stdout);
    let used = processor_time(pid)? - before;
    let line = wrk.stdout.lines().find(|line| line.contains("requests in")).context("wrk's summary")?;
    let requests: f64 = line.split_whitespace().next().context("a count")?.parse()?;
    figures.requests_per_second.push(requests / f64::from(SECONDS));
    figures.processor_microseconds.push(used * 1e6 / requests);
    Ok(())
}

fn report(ours: &Figures, theirs: &Figures) {
    say(&format!(
        "processor time per request   kigo {:.0} µs   nginx {:.0} µs   ratio {:.2}   (aim ≤ 1.0)",
        median(&ours.processor_microseconds),
        median(&theirs.processor_microseconds),
        ratio(&ours.processor_microseconds, &theirs.processor_microseconds)
    ));
    say(&format!(
        "requests per second          kigo {:.0}      nginx {:.0}      ratio {:.2}",
        median(&ours.requests_per_second),
        median(&theirs.requests_per_second),
        ratio(&ours.requests_per_second, &theirs.requests_per_second)
    ));
}

/// An nginx of our own, with one worker.
struct Nginx {
    master: Child,
    address: String,
}

impl Nginx {
    fn start(folder: &Path, dyno: &str) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let place = folder.display();
        std::fs::write(
            folder.join("nginx.conf"),
            format!(
                "daemon off; worker_processes 1; pid {place}/pid; error_log {place}/error.log;
events {{ worker_connections 4096; }}
http {{
  log_format heroku 'at=info method=$request_method path=\"$request_uri\" host=$host request_id=$request_id fwd=\"$remote_addr\" connect=$upstream_connect_time service=$upstream_response_time status=$status bytes=$body_bytes_sent protocol=$scheme';
  access_log {place}/access.log heroku buffer=64k flush=1s;
  client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
  keepalive_requests 1000000000;
  upstream dyno {{ server {dyno}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen {address} backlog=4096;
    location / {{
      proxy_pass http://dyno; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Port $server_port; proxy_set_header X-Request-Id $request_id;
      proxy_set_header X-Request-Start $msec; proxy_set_header Via \"1.1 nginx\"; add_header Via \"1.1 nginx\";
    }}
  }}
}}
"
            ),
        )?;
        let master = Command::new("nginx")
            .args(["-p", &place.to_string(), "-c", "nginx.conf"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start nginx; `cargo xtask bench` installs it")?;
        Ok(Self { master, address })
    }

    /// The worker's pid, once there is one.
    fn worker(&self) -> Result<u32> {
        let path = format!("/proc/{0}/task/{0}/children", self.master.id());
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        loop {
            let children = std::fs::read_to_string(&path)?;
            if let Some(pid) = children.split_whitespace().next() {
                return Ok(pid.parse()?);
            }
            ensure!(std::time::Instant::now() < deadline, "nginx has no worker");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Output::of(Command::new("kill").args(["-TERM", &self.master.id().to_string()]));
        let _ = self.master.wait();
    }
}
