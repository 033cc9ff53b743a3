//! The server's own log, and the lines it writes into apps' logs.

use crate::config::LogFormat;
use domain::{AppId, LogLine};
use logs::Logs;
use tracing_subscriber::EnvFilter;

/// Apps' logs, for those who add a line and do not wait.
#[derive(Clone)]
pub(crate) struct AppLogs(pub(crate) Logs);

impl ops::AppLog for AppLogs {
    fn log(&self, app: AppId, line: LogLine) {
        self.0.append(app, line);
    }
}

impl router::LogSink for AppLogs {
    fn log(&self, app: AppId, lines: Vec<LogLine>) {
        self.0.append_all(app, lines);
    }
}

/// Starts the server's own log, on standard error. `RUST_LOG` chooses what is in it.
pub(crate) fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_target(false).with_ansi(false).init(),
        LogFormat::Json => log.json().init(),
    }
}
