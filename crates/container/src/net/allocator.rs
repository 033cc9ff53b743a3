//! Which addresses of the subnet are free.

use super::Subnet;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Hands out addresses in turn, so that one that was just freed is used again as late as possible:
/// whoever still holds the old container's address does not talk to a stranger.
pub(super) struct Allocator {
    subnet: Subnet,
    /// Handed out only to who asks for one of these.
    reserved: Option<Subnet>,
    taken: BTreeSet<u32>,
    cursor: u32,
}

impl Allocator {
    pub(super) fn new(subnet: Subnet, reserved: Option<Subnet>) -> Self {
        Self { subnet, reserved, taken: BTreeSet::new(), cursor: 0 }
    }

    /// Notes an address that is in use. One outside the subnet (which was changed since) is ignored.
    pub(super) fn take(&mut self, address: Ipv4Addr) {
        if let Some(index) = self.subnet.index(address)
            && self.taken.insert(index)
            && !self.is_reserved(index)
        {
            self.cursor = self.cursor.max(index + 1);
        }
    }

    /// Takes this very address; false if it is taken already.
    pub(super) fn reserve(&mut self, address: Ipv4Addr) -> bool {
        self.subnet.index(address).is_some_and(|index| self.taken.insert(index))
    }

    fn is_reserved(&self, index: u32) -> bool {
        self.reserved.is_some_and(|reserved| reserved.contains(self.subnet.nth(index)))
    }

    /// Takes the next free address; `None` when there is none.
    pub(super) fn next(&mut self) -> Option<Ipv4Addr> {
        let capacity = self.subnet.capacity();
        if self.taken.len() >= capacity as usize {
            return None;
        }
        let free = (self.cursor..capacity).chain(0..self.cursor.min(capacity));
        let index =
            free.into_iter().find(|index| !self.taken.contains(index) && !self.is_reserved(*index))?;
        self.taken.insert(index);
        self.cursor = index + 1;
        Some(self.subnet.nth(index))
    }

    /// Gives an address back.
    pub(super) fn release(&mut self, address: Ipv4Addr) {
        if let Some(index) = self.subnet.index(address) {
            self.taken.remove(&index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(address: Option<Ipv4Addr>) -> Option<u8> {
        address.map(|address| address.octets()[3])
    }

    #[test]
    fn a_freed_address_comes_back_last() {
        let mut allocator = Allocator::new("10.201.0.0/29".parse().expect("a range"), None);
        allocator.take(Ipv4Addr::new(10, 201, 0, 2));
        allocator.take(Ipv4Addr::new(172, 16, 0, 2));
        assert_eq!(last(allocator.next()), Some(3));
        allocator.release(Ipv4Addr::new(10, 201, 0, 3));
        assert_eq!([4, 5, 6, 1, 3].map(Some), std::array::from_fn(|_| last(allocator.next())));
        assert_eq!(allocator.next(), None);
        allocator.release(Ipv4Addr::new(10, 201, 0, 2));
        assert_eq!(last(allocator.next()), Some(2));
    }

    #[test]
    fn a_reserved_address_is_for_who_asks_for_it() {
        let range = |text: &str| text.parse().expect("a range");
        let mut allocator = Allocator::new(range("10.201.0.0/29"), Some(range("10.201.0.4/30")));
        let service = Ipv4Addr::new(10, 201, 0, 5);
        assert!(allocator.reserve(service));
        assert!(!allocator.reserve(service));
        assert_eq!([1, 2, 3].map(Some), std::array::from_fn(|_| last(allocator.next())));
        assert_eq!(allocator.next(), None);
        allocator.release(service);
        assert!(allocator.reserve(service));
    }

    #[test]
    fn an_empty_range_has_nothing() {
        assert_eq!(Allocator::new("10.201.0.0/31".parse().expect("a range"), None).next(), None);
    }
}
