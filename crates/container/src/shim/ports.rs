//! Seeing that a program listens, from the kernel's tables: connecting to it would disturb it.

use std::fs;
use std::time::{Duration, Instant};

/// Waits for a listener on one port of this process's network namespace.
pub(super) struct PortWatch {
    port: u16,
    next: Instant,
    began: Instant,
}

/// How often to look. A deploy waits for this.
const OFTEN: Duration = Duration::from_millis(25);
/// After a while nobody is in a hurry any more.
const SELDOM: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_mins(2);

impl PortWatch {
    pub(super) fn new(port: u16) -> Self {
        let now = Instant::now();
        Self { port, next: now, began: now }
    }

    /// When to look again.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Looks, if it is time to.
    pub(super) fn look(&mut self) -> bool {
        let now = Instant::now();
        if now < self.next {
            return false;
        }
        self.next = now + if now - self.began < PATIENCE { OFTEN } else { SELDOM };
        ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
            .iter()
            .any(|table| fs::read_to_string(table).is_ok_and(|table| listens(&table, self.port)))
    }
}

/// Whether the table (proc(5), `/proc/net/tcp`) has a listener on the port that others than the
/// container itself can reach: one on a loopback address does not count.
fn listens(table: &str, port: u16) -> bool {
    table.lines().skip(1).any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (Some(local), Some(_), Some(state)) = (fields.next(), fields.next(), fields.next()) else {
            return false;
        };
        let Some((address, number)) = local.split_once(':') else { return false };
        state == "0A" && u16::from_str_radix(number, 16) == Ok(port) && !is_loopback(address)
    })
}

/// Addresses are printed as 32-bit words in the machine's byte order.
fn is_loopback(address: &str) -> bool {
    let first_byte = |word: &str| u32::from_str_radix(word, 16).map(|word| word.to_ne_bytes()[0]);
    match address.len() {
        8 => first_byte(address) == Ok(127),
        32 => {
            let mapped = address.starts_with("0000000000000000FFFF0000")
                || address.starts_with("00000000000000000000FFFF");
            let one = 1_u32.to_be_bytes();
            let last = u32::from_str_radix(&address[24..], 16).map(u32::to_ne_bytes);
            let zero = address[..24].bytes().all(|byte| byte == b'0');
            (zero && last == Ok(one)) || (mapped && first_byte(&address[24..]) == Ok(127))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n";

    fn check(local: &str, state: &str, expected: bool) {
        let remote = if local.len() > 20 { "00000000000000000000000000000000:0000" } else { "00000000:0000" };
        let table =
            format!("{HEAD}   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000  1000\n");
        assert_eq!(listens(&table, 5000), expected, "{local} {state}");
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn listeners_that_can_be_reached_count() {
        check("00000000:1388", "0A", true);
        check("0300010A:1388", "0A", true);
        check("00000000:1388", "01", false);
        check("00000000:1389", "0A", false);
        check("0100007F:1388", "0A", false);
        check("00000000000000000000000000000000:1388", "0A", true);
        check("00000000000000000000000001000000:1388", "0A", false);
        check("0000000000000000FFFF00000100007F:1388", "0A", false);
        check("0000000000000000FFFF00000300010A:1388", "0A", true);
        assert!(!listens(HEAD, 5000));
        assert!(!listens("", 5000));
        assert!(!listens("head\n 0: garbage\n", 5000));
    }

    #[test]
    fn a_real_listener_is_seen() {
        let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(PortWatch::new(port).look());
    }
}
