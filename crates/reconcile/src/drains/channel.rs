//! One drain's way to its receiver, whatever it speaks.

use super::datagrams::Datagrams;
use super::frame::{Batch, Framing};
use super::http::{Clients, Http};
use super::stream::Stream;
use super::tls::Tls;
use crate::reach::Reach;
use domain::Drain;
use ipnet::IpNet;
use planner::drains::{Rests, Settings};
use reqwest::Url;

/// What ways are made of; cheap to clone.
#[derive(Clone)]
pub(super) struct Ways {
    reach: Reach,
    clients: Clients,
    tls: Tls,
    settings: Settings,
}

impl Ways {
    /// Of the server's own network only what is `allowed` is reached.
    pub(super) fn new(allowed: &[IpNet], settings: Settings) -> Self {
        let reach = Reach::new(allowed);
        Self { clients: Clients::new(reach.clone()), reach, tls: Tls::default(), settings }
    }

    /// The way to a drain; `None` if its address is none. It was looked at when the drain was made.
    pub(super) fn to(&self, drain: &Drain) -> Option<Channel> {
        let url: Url = drain.url.parse().ok()?;
        let host = url.host_str()?.to_owned();
        let port = url.port_or_known_default()?;
        let token = drain.token.clone();
        let insecure = url.fragment() == Some("insecure");
        let (way, framing, rests) = match url.scheme() {
            "http" | "https" => {
                let http = Http::new(self.clients.clone(), url, &token)?;
                (Way::Http(http), Framing::Http, self.settings.http)
            }
            "udpsyslog" => {
                let datagrams = Datagrams::new(self.reach.clone(), host, port);
                (Way::Datagrams(datagrams), Framing::Datagram(token), self.settings.syslog)
            }
            scheme => {
                let tls = (scheme == "syslog+tls").then(|| (self.tls.clone(), insecure));
                let stream = Stream::new(self.reach.clone(), host, port, tls, self.settings.syslog.first);
                (Way::Stream(stream), Framing::Stream(token), self.settings.syslog)
            }
        };
        Some(Channel { way, framing, rests })
    }
}

/// The way to one drain.
pub(super) struct Channel {
    way: Way,
    pub(super) framing: Framing,
    pub(super) rests: Rests,
}

enum Way {
    Http(Http),
    Stream(Stream),
    Datagrams(Datagrams),
}

impl Channel {
    /// Bytes of a batch, after which no further line is begun (Heroku's figures).
    pub(super) fn batch_bytes(&self) -> usize {
        match self.way {
            Way::Http(_) => 102_400,
            Way::Stream(_) | Way::Datagrams(_) => 4096,
        }
    }

    /// Tries once.
    pub(super) async fn send(&mut self, batch: &Batch) -> Sent {
        match &mut self.way {
            Way::Http(http) => http.send(batch).await,
            Way::Stream(stream) => stream.send(batch).await,
            Way::Datagrams(datagrams) => datagrams.send(batch).await,
        }
    }

    /// Nothing goes for a while.
    pub(super) async fn close(&mut self) {
        match &mut self.way {
            // Its connections end by themselves.
            Way::Http(_) => {}
            Way::Stream(stream) => stream.close().await,
            Way::Datagrams(datagrams) => datagrams.close(),
        }
    }
}

/// How a try went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Taken,
    /// The receiver does not want this batch, however often it comes.
    Refused(String),
    Failed(Failure),
}

/// Why a batch was not taken this time. Says nothing of the address, which may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) why: String,
    /// Something may have arrived.
    pub(super) begun: bool,
    /// It fails until somebody does something about it.
    pub(super) lasting: bool,
    /// It was because of the other side's certificate.
    pub(super) certificate: bool,
}

impl Failure {
    /// Nothing was sent.
    pub(super) fn before(why: String) -> Self {
        Self { why, begun: false, lasting: false, certificate: false }
    }

    /// Something was sent.
    pub(super) fn under_way(why: String) -> Self {
        Self { begun: true, ..Self::before(why) }
    }

    pub(super) fn certificate(why: String) -> Self {
        Self { lasting: true, certificate: true, ..Self::before(why) }
    }

    pub(super) fn own_network() -> Self {
        let why = "its address lies in this server's own network, of which drains.networks does not allow it";
        Self { lasting: true, ..Self::before(why.into()) }
    }
}
