//! A router in front of one address, to be measured from outside:
//! `cargo run --release -p router --example forward -- 127.0.0.1:8080 127.0.0.1:9000 [THREADS]`.
//! Requests for the host `app.localhost` go there; log lines go to standard output.

use domain::route::{AppRoute, Backend, Backends, RouteTable};
use domain::{AppId, DynoId, LogLine};
use router::{Config, Hooks, LogSink, Metrics, Routes, Wake};
use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Gathers lines for a thread that writes them now and then.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn gathered(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogSink for Lines {
    fn log(&self, _: AppId, lines: Vec<LogLine>) {
        let mut gathered = self.gathered();
        for line in lines {
            gathered.extend_from_slice(&line.message);
            gathered.push(b'\n');
        }
    }
}

struct Asleep;

impl Wake for Asleep {
    fn wake(&self, _: AppId) {}
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [listen, dyno, rest @ ..] = words.as_slice() else { return Err("give two addresses".into()) };
    let threads = rest.first().map_or(Ok(1), |word| word.parse())?;
    let config = Config { listen: vec![listen.parse()?], threads, ..Config::default() };
    let backend = Backend { dyno: DynoId::new(), name: "web.1".parse()?, address: dyno.parse()? };
    let route = AppRoute {
        app: AppId::new(),
        name: "app-name".parse()?,
        maintenance: false,
        error_page: None,
        maintenance_page: None,
        backends: Backends::Ready(vec![backend]),
    };
    let routes = Routes::new();
    let hosts = HashMap::from([("app.localhost".to_owned(), Arc::new(route))]);
    routes.publish(&RouteTable { generation: 1, hosts });
    let lines = Lines::default();
    let written = lines.clone();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(100));
            let burst = std::mem::take(&mut *written.gathered());
            let _ = std::io::stdout().write_all(&burst);
        }
    });
    let hooks = Hooks { log: Arc::new(lines), wake: Arc::new(Asleep), metrics: Arc::new(Metrics::default()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bound = config.bind()?;
    runtime.block_on(bound.run(routes, hooks, std::future::pending()))?;
    Ok(())
}
