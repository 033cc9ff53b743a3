//! The mark that sets one installation's things apart on a host.

use std::fmt;
use std::net::Ipv4Addr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Four hex digits derived from the data directory's path; part of the names of interfaces, of the
/// nft table and of cgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstanceTag(u16);

impl InstanceTag {
    /// The tag of an installation. The same path gives the same tag in every version of Kigo:
    /// FNV-1a (64 bits), folded.
    pub fn of(data_dir: &Path) -> Self {
        let path = data_dir.canonicalize().unwrap_or_else(|_| data_dir.to_owned());
        let hash = path.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self((hash ^ (hash >> 16) ^ (hash >> 32) ^ (hash >> 48)) as u16)
    }

    /// How the names of this installation's interfaces start.
    pub fn interface_prefix(self) -> String {
        format!("k{self}")
    }

    /// The host's end of the veth pair of the container with this address: 13 of the 15
    /// characters that the kernel allows.
    pub fn interface(self, address: Ipv4Addr) -> String {
        format!("k{self}{:08x}", u32::from(address))
    }

    /// The nft table, of family `inet`.
    pub fn table(self) -> String {
        format!("kigo_{self}")
    }
}

impl fmt::Display for InstanceTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_the_kernel_and_do_not_change() {
        let tag = InstanceTag::of(Path::new("/no/such/kigo"));
        assert_eq!(tag, InstanceTag::of(Path::new("/no/such/kigo")));
        assert_ne!(tag, InstanceTag::of(Path::new("/no/such/kigo2")));
        let name = tag.interface(Ipv4Addr::new(10, 201, 255, 254));
        assert_eq!(name.len(), 13, "{name}");
        assert!(name.starts_with(&tag.interface_prefix()) && name.ends_with("0ac9fffe"), "{name}");
        // FNV-1a of the empty string is its offset basis.
        assert_eq!(
            InstanceTag::of(Path::new("")).to_string(),
            format!("{:04x}", 0xcbf2 ^ 0x9ce4 ^ 0x8422 ^ 0x2325)
        );
    }
}
