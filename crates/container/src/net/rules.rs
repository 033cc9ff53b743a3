//! The nft table: everything that containers may and may not reach.

use super::{InstanceTag, ParseSubnetError, Subnet};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write};
use std::net::Ipv4Addr;
use std::str::FromStr;

/// Ranges that are not the world outside (RFC 6890): this network, private, shared by carriers,
/// loopback, link-local with the metadata services of clouds, protocol assignments, benchmarking,
/// multicast and reserved.
const REFUSED: &str = "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, \
    192.0.0.0/24, 192.168.0.0/16, 198.18.0.0/15, 224.0.0.0/3";

/// The set of what containers may reach of each other: from, to, and the TCP port.
pub(super) const REACH: &str = "reach";

/// Something that containers may reach although it lies in a refused range or on the host, e.g. a
/// database: `10.0.0.5:5432`, or `10.8.0.0/24` for every port of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Allow {
    pub network: Subnet,
    /// TCP and UDP; `None` for every port and protocol.
    pub port: Option<u16>,
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.network),
            None => self.network.fmt(f),
        }
    }
}

impl FromStr for Allow {
    type Err = ParseSubnetError;

    fn from_str(text: &str) -> Result<Self, ParseSubnetError> {
        match text.rsplit_once(':').map(|(network, port)| (network, port.parse())) {
            Some((network, Ok(port))) => Ok(Self { network: network.parse()?, port: Some(port) }),
            // What follows the colon is no port; the whole is no range either, and its error says so.
            _ => Ok(Self { network: text.parse()?, port: None }),
        }
    }
}

impl TryFrom<String> for Allow {
    type Error = ParseSubnetError;
    fn try_from(text: String) -> Result<Self, ParseSubnetError> {
        text.parse()
    }
}

impl From<Allow> for String {
    fn from(allow: Allow) -> String {
        allow.to_string()
    }
}

/// The script for `nft -f`: replaces the table in one transaction, whether it was there or not.
///
/// The base chains accept by default, because they see all traffic of the host, and send what
/// comes from or goes to a container to chains that refuse by default.
///
/// `connections` is how many a container may have open at a time; `None` sets no bound, for kernels
/// that cannot count.
pub(super) fn ruleset(
    tag: InstanceTag,
    subnet: Subnet,
    resolvers: &[Ipv4Addr],
    allow: &[Allow],
    connections: Option<u32>,
) -> String {
    let table = tag.table();
    let [counts, count] = connections.map(bound).unwrap_or_default();
    let ours = format!("\"{}*\"", tag.interface_prefix());
    let exceptions = exceptions(resolvers, allow);
    format!(
        r#"table inet {table} {{}}
delete table inet {table}
table inet {table} {{
    # Before connection tracking: no IPv6, and no source address but the container's own, to which
    # the route back goes through the same interface.
    chain before {{
        type filter hook prerouting priority raw; policy accept;
        iifname {ours} meta nfproto ipv6 drop
        iifname {ours} fib saddr . iif oif missing drop
    }}
{counts}    # To the host itself.
    chain to_host {{
        type filter hook input priority filter; policy accept;
        iifname {ours} jump from_container_to_host
    }}
    chain from_container_to_host {{
        ct state established,related accept
{count}{exceptions}        reject with icmp type admin-prohibited
    }}
    # Through the host.
    chain through {{
        type filter hook forward priority filter; policy accept;
        oifname {ours} jump to_container
        iifname {ours} jump from_container
    }}
    # Connections come from the host, and those are not forwarded, or from containers that were given
    # the way.
    set {REACH} {{
        type ipv4_addr . ipv4_addr . inet_service
    }}
    chain to_container {{
        ct state established,related accept
        ip saddr . ip daddr . tcp dport @{REACH} accept
        drop
    }}
    chain from_container {{
        ct state established,related accept
        ct state invalid drop
{count}{exceptions}        ip daddr {{ {REFUSED} }} reject with icmp type admin-prohibited
        ip daddr {subnet} reject with icmp type admin-prohibited
        # An uplink with a smaller frame than ours (a VPN) is told to the other side at once.
        tcp flags syn tcp option maxseg size set rt mtu
        accept
    }}
    chain leaving {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr {subnet} oifname != {{ {ours}, "lo" }} masquerade
    }}
}}
"#
    )
}

/// What declares a bound of connections, and the rule that applies it. The host tracks those of all
/// containers and its own in one table; whoever fills it cuts everybody off.
fn bound(connections: u32) -> [String; 2] {
    let counts = format!(
        r"    set open {{
        type ipv4_addr
        size 65535
        flags dynamic
    }}
    chain counted {{
        ct state new add @open {{ ip saddr ct count over {connections} }} reject with icmp type admin-prohibited
    }}
"
    );
    [counts, "        jump counted\n".to_owned()]
}

/// Rules for what may be reached anywhere.
fn exceptions(resolvers: &[Ipv4Addr], allow: &[Allow]) -> String {
    let mut rules = String::new();
    let names = resolvers.iter().map(|address| (address.to_string(), Some(53)));
    let others = allow.iter().map(|allow| (allow.network.to_string(), allow.port));
    for (network, port) in names.chain(others) {
        let port =
            port.map(|port| format!(" meta l4proto {{ tcp, udp }} th dport {port}")).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(rules, "        ip daddr {network}{port} accept");
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn allow_is_an_address_or_a_range_with_or_without_a_port() {
        for good in ["10.0.0.5/32:5432", "10.8.0.0/24", "10.8.0.0/24:53"] {
            assert_eq!(good.parse::<Allow>().map(|allow| allow.to_string()), Ok(good.to_owned()));
        }
        assert_eq!("10.0.0.5:5432".parse::<Allow>().map(|allow| allow.port), Ok(Some(5432)));
        for bad in ["", "10.0.0.5:", "10.0.0.5:70000", "::1", "db.example.com:5432"] {
            assert!(bad.parse::<Allow>().is_err(), "{bad}");
        }
    }

    #[test]
    fn exceptions_stand_before_the_refusals() {
        let tag = InstanceTag::of(Path::new("/no/such/kigo"));
        let allow = "10.0.0.5:5432".parse().expect("an exception");
        let text = ruleset(tag, Subnet::DEFAULT, &[Ipv4Addr::new(10, 9, 8, 7)], &[allow], None);
        for chain in ["chain from_container {", "chain from_container_to_host {"] {
            let body = text.split_once(chain).expect(chain).1;
            let at = |rule: &str| body.find(rule).unwrap_or_else(|| panic!("{rule} is not in {body}"));
            assert!(at("ip daddr 10.9.8.7 meta l4proto { tcp, udp } th dport 53 accept") < at("reject"));
            assert!(at("ip daddr 10.0.0.5/32 meta l4proto { tcp, udp } th dport 5432 accept") < at("reject"));
        }
    }
}
