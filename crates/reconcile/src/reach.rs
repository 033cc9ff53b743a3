//! Where the server goes on a user's behalf: to the world outside, not to its own network.
//!
//! The server sits behind firewalls that stop its users, on machines with services that trust
//! whoever reaches them. So addresses are judged, not names: every address that a name has, after
//! each redirect, and once more when the connection is made, because a name can change in between.

use ipnet::IpNet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

/// IPv4 ranges that are not the world outside (RFC 6890), beside those that [`always_refused`] names.
const INNER: [(Ipv4Addr, u8); 9] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Which addresses may be reached. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach {
    /// Of the inner network, what the operator allows.
    allowed: Arc<[IpNet]>,
}

/// A host has no address that may be reached.
#[derive(Debug, thiserror::Error)]
#[error("no address that may be used")]
struct OwnNetwork;

/// Whether that is what an error is about.
pub(crate) fn is_own_network(error: &io::Error) -> bool {
    let Some(inner) = error.get_ref() else { return false };
    inner.is::<OwnNetwork>()
}

impl Reach {
    pub(crate) fn new(allowed: &[IpNet]) -> Self {
        Self { allowed: allowed.into() }
    }

    /// For what the operator has named: all but what is always refused.
    pub(crate) fn everywhere() -> Self {
        let all = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        Self { allowed: all.into_iter().filter_map(|net| IpNet::new(net, 0).ok()).collect() }
    }

    /// Whether the host of an address may be asked. A name that cannot be resolved here may: then
    /// either nobody can, or a proxy does it.
    pub(crate) async fn admits(&self, url: &reqwest::Url) -> bool {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return false };
        if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            return self.admits_address(address);
        }
        match tokio::net::lookup_host((host, port)).await {
            Ok(mut found) => found.all(|found| self.admits_address(found.ip())),
            Err(_) => true,
        }
    }

    /// The addresses of a host, as far as they may be reached. At least one.
    pub(crate) async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let found = tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await?;
        let admitted: Vec<_> = found.filter(|found| self.admits_address(found.ip())).collect();
        if admitted.is_empty() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, OwnNetwork));
        }
        Ok(admitted)
    }

    fn admits_address(&self, address: IpAddr) -> bool {
        let address = plain(address);
        if always_refused(address) {
            return false;
        }
        self.allowed.iter().any(|network| network.contains(&address))
            || (is_outer(address) && !is_own(address))
    }
}

/// What is meant by an IPv6 address that only carries an IPv4 one: mapped, translated (RFC 6052) or
/// tunnelled (RFC 3056).
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => embedded(high, low),
        _ => address,
    }
}

/// Where clouds keep their metadata, and what is no host's address. No setting opens these.
fn always_refused(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_unspecified() || v4.is_broadcast() || v4.is_multicast(),
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.segments()[..2] == [0xfd00, 0x0ec2]
        }
    }
}

/// Whether an address belongs to the world outside.
fn is_outer(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let within =
                |(base, prefix): (Ipv4Addr, u8)| (u32::from(v4) ^ u32::from(base)) >> (32 - prefix) == 0;
            !INNER.into_iter().any(within)
        }
        // All that is assigned lies in 2000::/3. Of it, 2001::/23 is for protocols' own use, among
        // them Teredo, which carries an IPv4 address.
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            first & 0xe000 == 0x2000 && !(first == 0x2001 && second < 0x200)
        }
    }
}

/// Whether an address is this machine's: a public one of its own leads past the firewall in front of
/// it. A packet to oneself carries the same address as its sender's.
fn is_own(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Connecting a datagram socket sends nothing. Without a route nobody is reached at all.
    let sender = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    sender.is_ok_and(|sender| sender.ip() == address)
}

/// The system's resolver without the addresses that are refused.
pub(crate) struct Resolver {
    reach: Reach,
    /// The operator's own proxies, which may be anywhere.
    proxies: Vec<String>,
}

impl Resolver {
    pub(crate) fn new(reach: Reach) -> Self {
        let variables = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
        let values = variables.iter().filter_map(|name| std::env::var(name).ok());
        Self { reach, proxies: values.filter_map(|value| host_of_proxy(&value)).collect() }
    }
}

/// The host in `http://user:password@proxy:3128`, `proxy:3128` and the like.
fn host_of_proxy(value: &str) -> Option<String> {
    let url: reqwest::Url =
        if value.contains("://") { value.parse() } else { format!("http://{value}").parse() }.ok()?;
    url.host_str().map(str::to_owned)
}

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let reach = self.reach.clone();
        let is_proxy = self.proxies.iter().any(|proxy| proxy.eq_ignore_ascii_case(name.as_str()));
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let admitted: Vec<SocketAddr> =
                found.filter(|address| is_proxy || reach.admits_address(address.ip())).collect();
            if admitted.is_empty() {
                return Err(OwnNetwork.into());
            }
            Ok(Box::new(admitted.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn admits(allowed: &[&str], url: &str) -> bool {
        let allowed: Vec<IpNet> = allowed.iter().map(|network| network.parse().unwrap()).collect();
        Reach::new(&allowed).admits(&url.parse().unwrap()).await
    }

    #[tokio::test]
    async fn the_inner_network_is_refused_however_it_is_written() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "localhost",
            "LOCALHOST",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.2",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[::7f00:1]",
            "[64:ff9b::10.0.0.1]",
            "[64:ff9b:1::1]",
            "[2002:a00:1::]",
            "[2001:0:1:2:3:4:5:6]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[fec0::1]",
            "[ff02::1]",
        ] {
            assert!(!admits(&[], &format!("http://{host}/a.tgz")).await, "{host}");
        }
    }

    #[tokio::test]
    async fn the_world_is_admitted() {
        for host in [
            "1.1.1.1",
            "172.15.0.1",
            "172.32.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "[2606:4700::1111]",
            "[64:ff9b::1.1.1.1]",
            "[2002:101:101::1]",
            "no-such-name.invalid",
        ] {
            assert!(admits(&[], &format!("https://{host}/a.tgz")).await, "{host}");
        }
    }

    #[tokio::test]
    async fn an_operator_opens_what_is_named_but_never_the_metadata_service() {
        let all = ["0.0.0.0/0", "::/0"];
        for (allowed, host, admitted) in [
            (&["10.1.0.0/16"][..], "10.1.2.3", true),
            (&["10.1.0.0/16"], "10.2.2.3", false),
            (&["10.1.0.0/16"], "[::ffff:10.1.2.3]", true),
            (&["fd12::/16"], "[fd12::1]", true),
            (&["127.0.0.1/32"], "127.0.0.1", true),
            (&["127.0.0.1/32"], "127.0.0.2", false),
            (&all, "127.0.0.1", true),
            (&all, "169.254.169.254", false),
            (&all, "[::ffff:169.254.169.254]", false),
            (&all, "[fe80::1]", false),
            (&all, "[fd00:ec2::254]", false),
            (&all, "0.0.0.0", false),
        ] {
            assert_eq!(admits(allowed, &format!("http://{host}/")).await, admitted, "{allowed:?} {host}");
        }
    }

    #[test]
    fn an_address_of_this_machine_is_told_from_others() {
        assert!(is_own(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert!(!is_own(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))));
    }

    #[test]
    fn proxies_are_known_by_their_hosts() {
        for (value, host) in [
            ("http://user:pw@Proxy.example:3128", Some("proxy.example")),
            ("proxy.example:3128", Some("proxy.example")),
            ("socks5h://10.0.0.1:1080/", Some("10.0.0.1")),
            ("", None),
        ] {
            assert_eq!(host_of_proxy(value).as_deref(), host, "{value}");
        }
    }
}
