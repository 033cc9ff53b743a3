//! IPv4 ranges as people write them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// An IPv4 range like `10.201.0.0/16`; a single address is a `/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    base: u32,
    prefix: u8,
}

/// The text is not an IPv4 range.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an IPv4 range like 10.201.0.0/16")]
pub struct ParseSubnetError(String);

impl Subnet {
    /// Where containers live unless the operator says otherwise.
    pub const DEFAULT: Self = Self { base: u32::from_be_bytes([10, 201, 0, 0]), prefix: 16 };

    /// Whether an address lies in the range.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.prefix) == self.base
    }

    /// How many containers fit: every address but the first and the last, which some programs
    /// take for the network's and the broadcast address.
    pub(super) fn capacity(self) -> u32 {
        (!mask(self.prefix)).saturating_sub(1)
    }

    /// The address with this number, from 0 to below [`Subnet::capacity`].
    pub(super) fn nth(self, index: u32) -> Ipv4Addr {
        Ipv4Addr::from(self.base + 1 + index)
    }

    /// The number of an address, if it is one for containers.
    pub(super) fn index(self, address: Ipv4Addr) -> Option<u32> {
        let index = u32::from(address).checked_sub(self.base)?.checked_sub(1)?;
        (index < self.capacity()).then_some(index)
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = ParseSubnetError;

    /// Bits beyond the prefix must be zero: `10.201.0.1/16` is more likely a slip than a range.
    fn from_str(text: &str) -> Result<Self, ParseSubnetError> {
        let bad = || ParseSubnetError(text.to_owned());
        let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
        let base = u32::from(address.parse::<Ipv4Addr>().map_err(|_| bad())?);
        let prefix = prefix.parse().ok().filter(|prefix| *prefix <= 32).ok_or_else(bad)?;
        if base & !mask(prefix) != 0 {
            return Err(bad());
        }
        Ok(Self { base, prefix })
    }
}

impl TryFrom<String> for Subnet {
    type Error = ParseSubnetError;
    fn try_from(text: String) -> Result<Self, ParseSubnetError> {
        text.parse()
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> String {
        subnet.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_people_write() {
        for good in ["10.201.0.0/16", "0.0.0.0/0", "192.168.1.4/30", "1.2.3.4/32"] {
            assert_eq!(good.parse::<Subnet>().map(|subnet| subnet.to_string()), Ok(good.to_owned()));
        }
        assert_eq!("1.2.3.4".parse::<Subnet>().map(|subnet| subnet.to_string()), Ok("1.2.3.4/32".to_owned()));
        for bad in
            ["", "10.201.0.0/33", "10.201.0.0/-1", "10.201.0.1/16", "10.201.0/16", "::/0", "10.0.0.0/8/8"]
        {
            assert_eq!(bad.parse::<Subnet>(), Err(ParseSubnetError(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn counts_addresses() {
        let subnet: Subnet = "10.201.4.0/29".parse().expect("a range");
        assert_eq!(subnet.capacity(), 6);
        assert_eq!(subnet.nth(0), Ipv4Addr::new(10, 201, 4, 1));
        assert_eq!(subnet.index(Ipv4Addr::new(10, 201, 4, 6)), Some(5));
        assert_eq!(subnet.index(Ipv4Addr::new(10, 201, 4, 7)), None);
        assert_eq!(subnet.index(Ipv4Addr::new(10, 201, 4, 0)), None);
        assert!(subnet.contains(Ipv4Addr::new(10, 201, 4, 7)));
        assert!(!subnet.contains(Ipv4Addr::new(10, 201, 4, 8)));
        for tiny in ["1.2.3.4/32", "1.2.3.4/31"] {
            assert_eq!(tiny.parse::<Subnet>().expect("a range").capacity(), 0);
        }
    }
}
