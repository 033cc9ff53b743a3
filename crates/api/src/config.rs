//! What the edge has to be told: the addresses that answers carry, and its patience.

use std::time::Duration;

/// Settings of the API.
#[derive(Clone, Debug)]
pub struct Config {
    /// How clients reach the API, for example `http://localhost:5000`. `None`: as the client that
    /// asks has reached it.
    pub origin: Option<String>,
    /// How people reach apps; `{app}` stands for the app's name.
    pub app_url: String,
    /// `host:port` where clients attach to one-off dynos, over TLS.
    pub rendezvous: String,
    /// An idle stream is kept alive this often. Clients give up after a minute or more.
    pub heartbeat: Duration,
    /// Who asks for output that has not begun waits so long for it.
    pub output_patience: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            origin: None,
            app_url: "http://{app}.localhost:8080".into(),
            rendezvous: "localhost:5001".into(),
            heartbeat: Duration::from_secs(25),
            output_patience: Duration::from_secs(20),
        }
    }
}
