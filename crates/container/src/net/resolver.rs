//! Which name servers containers use.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

/// Where hosts list their name servers. The second has the real ones where systemd-resolved runs
/// and the first names only its stub on the loopback interface, which containers cannot reach.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// The name servers for containers: those configured, or else those of the host. When there is
/// none, a warning says what to set.
pub(super) fn choose(configured: Option<&[Ipv4Addr]>, warnings: &mut Vec<String>) -> Vec<Ipv4Addr> {
    if let Some(configured) = configured {
        return configured.to_vec();
    }
    let usable = FILES
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .map(|text| name_servers(&text))
        .find(|servers| !servers.is_empty());
    usable.unwrap_or_else(|| {
        warnings.push(format!(
            "no IPv4 name server beyond the loopback interface in {}, so containers cannot resolve names; \
             set the resolvers of containers in the configuration",
            FILES.join(" or ")
        ));
        Vec::new()
    })
}

/// The name servers in the text of a resolv.conf(5) that containers can reach: IPv4, not loopback,
/// not unspecified; the first three, as the C library reads no more.
pub fn name_servers(text: &str) -> Vec<Ipv4Addr> {
    let mut servers = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if words.next() != Some("nameserver") {
            continue;
        }
        if let Some(Ok(IpAddr::V4(address))) = words.next().map(str::parse)
            && !address.is_loopback()
            && !address.is_unspecified()
            && !servers.contains(&address)
        {
            servers.push(address);
        }
    }
    servers.truncate(3);
    servers
}

/// The text of a resolv.conf(5) that names these servers and nothing else.
pub(super) fn resolv_conf(servers: &[Ipv4Addr]) -> String {
    servers.iter().fold(String::new(), |mut text, server| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "nameserver {server}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_containers_can_use() {
        let check = |text: &str, expected: &[[u8; 4]]| {
            let expected: Vec<_> = expected.iter().copied().map(Ipv4Addr::from).collect();
            assert_eq!(name_servers(text), expected, "{text:?}");
        };
        check("", &[]);
        check("nameserver 10.0.0.2\n", &[[10, 0, 0, 2]]);
        check("# nameserver 10.0.0.2\n;nameserver 10.0.0.3\n", &[]);
        check("search example.com\noptions ndots:5\nnameserver\t1.1.1.1 # why\n", &[[1, 1, 1, 1]]);
        check("nameserver 127.0.0.53\nnameserver ::1\nnameserver fe80::1%eth0\nnameserver 0.0.0.0\n", &[]);
        check("nameserver 9.9.9.9\nnameserver 9.9.9.9\nnameserver nonsense\nnameserver\n", &[[9, 9, 9, 9]]);
        check(
            "nameserver 1.0.0.1\nnameserver 1.0.0.2\nnameserver 1.0.0.3\nnameserver 1.0.0.4\n",
            &[[1, 0, 0, 1], [1, 0, 0, 2], [1, 0, 0, 3]],
        );
    }

    #[test]
    fn writes_what_it_reads() {
        let servers = [Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(1, 1, 1, 1)];
        assert_eq!(name_servers(&resolv_conf(&servers)), servers);
    }

    #[test]
    fn configured_servers_win() {
        let mut warnings = Vec::new();
        let mine = [Ipv4Addr::new(10, 1, 2, 3)];
        assert_eq!(choose(Some(&mine), &mut warnings), mine);
        assert!(warnings.is_empty());
    }
}
