//! Heroku's H codes as data: the words, the status, and how the log line begins.

/// Why a request was not answered by a dyno, or not to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) description: &'static str,
    /// H26 says more.
    pub(crate) cause: Option<&'static str>,
    /// `error`, `warning` or `info`.
    pub(crate) level: &'static str,
    /// Whose socket it was, where the log line says so.
    pub(crate) socket: Option<&'static str>,
    /// What the client gets while nothing has been sent to it; none where nothing can be.
    pub(crate) status: Option<u16>,
}

impl Fault {
    const fn new(code: &'static str, description: &'static str, status: u16) -> Self {
        Self { code, description, cause: None, level: "error", socket: None, status: Some(status) }
    }

    const fn level(mut self, level: &'static str) -> Self {
        self.level = level;
        self
    }

    const fn socket(mut self, socket: &'static str) -> Self {
        self.socket = Some(socket);
        self
    }

    const fn cause(mut self, cause: &'static str) -> Self {
        self.cause = Some(cause);
        self
    }

    const fn no_status(mut self) -> Self {
        self.status = None;
        self
    }
}

pub(crate) static APP_CRASHED: Fault = Fault::new("H10", "App crashed", 503);
pub(crate) static BACKLOG: Fault = Fault::new("H11", "Backlog too deep", 503);
pub(crate) static REQUEST_TIMEOUT: Fault = Fault::new("H12", "Request timeout", 503);
pub(crate) static NO_RESPONSE: Fault = Fault::new("H13", "Connection closed without response", 503);
pub(crate) static NO_WEB: Fault = Fault::new("H14", "No web processes running", 503);
pub(crate) static IDLE: Fault = Fault::new("H15", "Idle connection", 503);
pub(crate) static MALFORMED: Fault = Fault::new("H17", "Poorly formatted HTTP response", 503);
pub(crate) static INTERRUPTED: Fault = Fault::new("H18", "Server Request Interrupted", 503).socket("backend");
pub(crate) static CONNECT_TIMEOUT: Fault = Fault::new("H19", "Backend connection timeout", 503);
pub(crate) static BOOT_TIMEOUT: Fault = Fault::new("H20", "App boot timeout", 503);
pub(crate) static CONNECT_REFUSED: Fault = Fault::new("H21", "Backend connection refused", 503);
pub(crate) static CONNECTION_LIMIT: Fault = Fault::new("H22", "Connection limit reached", 503);
pub(crate) static FORCED_CLOSE: Fault = Fault::new("H24", "Forced close", 503).no_status();
pub(crate) static BAD_LENGTH: Fault = Fault::new("H25", "HTTP restriction: invalid content length", 502);
pub(crate) static BIG_COOKIE: Fault = Fault::new("H25", "HTTP restriction: oversized cookie", 502);
pub(crate) static BIG_HEADER: Fault = Fault::new("H25", "HTTP restriction: oversized header", 502);
pub(crate) static BAD_EXPECT: Fault =
    Fault::new("H26", "Request Error", 417).cause("unsupported expect header value");
pub(crate) static BAD_HEADER: Fault = Fault::new("H26", "Request Error", 400).cause("bad header");
pub(crate) static BAD_CHUNK: Fault = Fault::new("H26", "Request Error", 400).cause("bad chunk");
pub(crate) static CLIENT_GONE: Fault =
    Fault::new("H27", "Client Request Interrupted", 499).level("warning").socket("client");
pub(crate) static CLIENT_IDLE: Fault =
    Fault::new("H28", "Client Connection Idle", 499).level("warning").socket("client");
pub(crate) static MAINTENANCE: Fault = Fault::new("H80", "Maintenance mode", 503).level("info");
pub(crate) static BLANK: Fault = Fault::new("H81", "Blank app", 502).level("info");
pub(crate) static PLATFORM: Fault = Fault::new("H99", "Platform error", 503);
