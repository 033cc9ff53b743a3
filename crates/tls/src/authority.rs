//! The authority on disk: `ca.pem` for everybody to read, `ca.key` for the server alone.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Days that an authority is valid. Nobody renews trust by hand often.
const AUTHORITY_DAYS: i64 = 3650;
/// Clients' clocks may be this far behind.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_hours(24);

/// Why certificates cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file of the authority could not be read, written or made.
    #[error("cannot {action} {}", path.display())]
    File {
        /// `read`, `write` or `make`.
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// `ca.pem` is there and `ca.key` is not; a new pair would break every client.
    #[error(
        "{} exists but its key {} does not: restore the key, or delete both files and let clients trust the new authority",
        certificate.display(),
        key.display()
    )]
    KeyMissing { certificate: PathBuf, key: PathBuf },
    /// A file is there and is not what it should be.
    #[error("{} does not hold a usable {what}", path.display())]
    Unreadable { what: &'static str, path: PathBuf },
    /// The authority's own time is over.
    #[error(
        "the certificate authority in {} expired: delete ca.pem and ca.key there and let clients trust the new one",
        .0.display()
    )]
    Expired(PathBuf),
    /// A host name cannot stand in a certificate.
    #[error("{0:?} cannot be a name in a certificate")]
    Name(String),
    /// The key or certificate library refused.
    #[error("cannot issue a certificate")]
    Issue(#[from] rcgen::Error),
    /// The TLS library refused what was issued.
    #[error("cannot use the certificate")]
    Use(#[from] rustls::Error),
}

/// An opened authority.
pub(crate) struct Authority {
    certificate_path: PathBuf,
    certificate: CertificateDer<'static>,
    not_after: Timestamp,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate just issued, with its key.
pub(crate) struct Issued {
    /// The certificate, then the authority's.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) not_after: Timestamp,
}

impl Authority {
    /// Opens the authority in `directory`, or makes one when there is none.
    pub(crate) fn open(directory: &Path, now: Timestamp) -> Result<Self, AuthorityError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(directory)
            .map_err(file("make", directory))?;
        let certificate_path = directory.join("ca.pem");
        let key_path = directory.join("ca.key");
        match (certificate_path.exists(), key_path.exists()) {
            // A key alone is left by a first start that was interrupted: nobody trusts it yet.
            (false, _) => create(&certificate_path, &key_path, now)?,
            (true, false) => {
                return Err(AuthorityError::KeyMissing { certificate: certificate_path, key: key_path });
            }
            (true, true) => {}
        }
        Self::read(certificate_path, &key_path, now)
    }

    fn read(certificate_path: PathBuf, key_path: &Path, now: Timestamp) -> Result<Self, AuthorityError> {
        let pem = fs::read(&certificate_path).map_err(file("read", &certificate_path))?;
        let key_pem = fs::read_to_string(key_path).map_err(file("read", key_path))?;
        let unreadable =
            || AuthorityError::Unreadable { what: "certificate", path: certificate_path.clone() };
        let certificate = CertificateDer::from_pem_slice(&pem).map_err(|_| unreadable())?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).map_err(|_| unreadable())?;
        let not_after =
            Timestamp::from_second(parsed.validity().not_after.timestamp()).map_err(|_| unreadable())?;
        if not_after <= now {
            return Err(AuthorityError::Expired(certificate_path));
        }
        let wrong_key =
            || AuthorityError::Unreadable { what: "key of the certificate beside it", path: key_path.into() };
        let key = KeyPair::from_pem(&key_pem).map_err(|_| wrong_key())?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(wrong_key());
        }
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|_| unreadable())?;
        Ok(Self { certificate_path, certificate, not_after, issuer })
    }

    /// Where clients find the certificate to trust.
    pub(crate) fn certificate_path(&self) -> &Path {
        &self.certificate_path
    }

    /// The certificate to trust.
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Issues a server certificate for `names` (DNS names, wildcards and addresses), valid for
    /// `lifetime` from `now` or as long as the authority itself.
    pub(crate) fn issue(
        &self,
        names: &[String],
        now: Timestamp,
        lifetime: SignedDuration,
    ) -> Result<Issued, AuthorityError> {
        let mut parameters = CertificateParams::default();
        for name in names {
            let single =
                CertificateParams::new(vec![name.clone()]).map_err(|_| AuthorityError::Name(name.clone()))?;
            parameters.subject_alt_names.extend(single.subject_alt_names);
        }
        let not_after = (now + lifetime).min(self.not_after);
        set_validity(&mut parameters, now - CLOCK_SKEW, not_after);
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, "Kigo server");
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = parameters.signed_by(&key, &self.issuer)?;
        Ok(Issued {
            chain: vec![certificate.der().clone(), self.certificate.clone()],
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            not_after,
        })
    }
}

/// Makes a new authority: the key first, so that a certificate never stands without one.
fn create(certificate_path: &Path, key_path: &Path, now: Timestamp) -> Result<(), AuthorityError> {
    let mut parameters = CertificateParams::default();
    set_validity(&mut parameters, now - CLOCK_SKEW, now + SignedDuration::from_hours(24 * AUTHORITY_DAYS));
    parameters.distinguished_name = DistinguishedName::new();
    // A number of its own keeps two servers' authorities apart where both are trusted.
    let name = format!("Kigo local authority {:08x}", rand::random::<u32>());
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = parameters.self_signed(&key)?;
    write(key_path, key.serialize_pem().as_bytes(), 0o600)?;
    write(certificate_path, certificate.pem().as_bytes(), 0o644)
}

/// Replaces a file as a whole: a reader sees the old one or the new one.
fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), AuthorityError> {
    let draft = path.with_extension(format!("draft-{:08x}", rand::random::<u32>()));
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&draft)
        .and_then(|mut out| out.write_all(content).and_then(|()| out.sync_all()))
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written.map_err(file("write", path))?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::File::open(directory).and_then(|d| d.sync_all()).map_err(file("write", directory))
}

fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AuthorityError {
    let path = path.to_owned();
    move |source| AuthorityError::File { action, path, source }
}

/// Sets both ends of a certificate's time, which the library counts in whole days.
fn set_validity(parameters: &mut CertificateParams, from: Timestamp, to: Timestamp) {
    let midnight = |time: Timestamp| {
        let day = time.to_zoned(TimeZone::UTC).date();
        rcgen::date_time_ymd(i32::from(day.year()), day.month().unsigned_abs(), day.day().unsigned_abs())
    };
    parameters.not_before = midnight(from);
    parameters.not_after = midnight(to);
}
