//! The certificates that a build trusts, as Java reads them.
//!
//! Java knows no bundles in PEM and no variable that names one. What it trusts is in a key store,
//! which Debian writes as a JKS: Java's own oldest format, read by every version, and for
//! certificates no more than a list of them with names. It is written here, from the bundle that
//! the other programs of a build are given, and takes the place of Debian's in build containers.

use rustls::pki_types::{CertificateDer, pem::PemObject};
use sha1::{Digest as _, Sha1};

/// Where Debian's versions of Java look.
pub(super) const PLACE: &str = "/etc/ssl/certs/java/cacerts";

const MAGIC: u32 = 0xfeed_feed;
const VERSION: u32 = 2;
/// The tag of a certificate without a key.
const TRUSTED: u32 = 2;

/// Seals the list; it keeps nothing secret, and everybody uses this one.
const PASSWORD: &str = "changeit";

/// The key store with the certificates of a bundle. What is not a certificate is passed over.
pub(super) fn of_bundle(pem: &[u8]) -> Vec<u8> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
    let mut store = Vec::new();
    for number in [MAGIC, VERSION, certificates.len() as u32] {
        store.extend(number.to_be_bytes());
    }
    for (index, certificate) in certificates.iter().enumerate() {
        store.extend(TRUSTED.to_be_bytes());
        text(&mut store, &format!("host-{index}"));
        // When it was added, which nobody asks for.
        store.extend(0_u64.to_be_bytes());
        text(&mut store, "X.509");
        store.extend((certificate.len() as u32).to_be_bytes());
        store.extend_from_slice(certificate);
    }
    let mut seal = Sha1::new();
    for unit in PASSWORD.encode_utf16() {
        seal.update(unit.to_be_bytes());
    }
    seal.update(b"Mighty Aphrodite");
    seal.update(&store);
    store.extend_from_slice(&seal.finalize());
    store
}

fn text(store: &mut Vec<u8>, text: &str) {
    store.extend((text.len() as u16).to_be_bytes());
    store.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_every_certificate_of_the_bundle_and_java_s_seal() {
        let pem = "# one\n-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n\
                   -----BEGIN CERTIFICATE-----\nBAU=\n-----END CERTIFICATE-----\n";
        let store = of_bundle(pem.as_bytes());
        let (list, seal) = store.split_at(store.len() - 20);
        let expected = "feedfeed0000000200000002\
            000000020006686f73742d3000000000000000000005582e35303900000003010203\
            000000020006686f73742d3100000000000000000005582e353039000000020405";
        assert_eq!(hex::encode(list), expected);
        // SHA-1 of the password in UTF-16, "Mighty Aphrodite" and the list.
        assert_eq!(hex::encode(seal), "6baa51d0e347c3989257006b0853dccee03efd9c");
        assert_eq!(of_bundle(b"nothing").len(), 12 + 20);
    }
}
