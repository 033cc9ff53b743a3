//! SSH public keys of an account.

use crate::{Actor, Error, Ops, Permission, Result, text};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use domain::{KeyId, SshKey};
use md5::{Digest as _, Md5};
use sha2::Sha256;

/// Kinds of keys that are accepted; DSA is not, for nobody else accepts it either.
const TYPES: [&str; 7] = [
    "ssh-rsa",
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// Adds a key, given as a line of `id_*.pub`.
pub async fn create(ops: &Ops, actor: &Actor, public_key: &str) -> Result<SshKey> {
    actor.require(Permission::Global)?;
    let parsed = parse(public_key)?;
    let mut write = ops.store().write().await?;
    if store::ssh_keys::by_fingerprint(&mut write, &parsed.fingerprint).await?.is_some() {
        return Err(Error::invalid("Fingerprint already exists: this key is in use by an account."));
    }
    let now = ops.now();
    let key = SshKey {
        id: KeyId::new(),
        account: actor.account.id,
        public_key: parsed.public_key,
        comment: parsed.comment,
        fingerprint: parsed.fingerprint,
        fingerprint_md5: parsed.fingerprint_md5,
        created_at: now,
        updated_at: now,
    };
    store::ssh_keys::insert(&mut write, &key).await?;
    write.commit().await?;
    Ok(key)
}

/// One's keys, oldest first.
pub async fn list(ops: &Ops, actor: &Actor) -> Result<Vec<SshKey>> {
    actor.require(Permission::Read)?;
    Ok(store::ssh_keys::list(&mut ops.store().read().await?, actor.account.id).await?)
}

/// One of one's keys, by id or either fingerprint.
pub async fn info(ops: &Ops, actor: &Actor, identity: &str) -> Result<SshKey> {
    let keys = list(ops, actor).await?;
    keys.into_iter().find(|key| is(key, identity)).ok_or_else(|| Error::not_found("key"))
}

/// Removes one of one's keys.
pub async fn destroy(ops: &Ops, actor: &Actor, identity: &str) -> Result<SshKey> {
    actor.require(Permission::Global)?;
    let mut write = ops.store().write().await?;
    let keys = store::ssh_keys::list(&mut write, actor.account.id).await?;
    let key = keys.into_iter().find(|key| is(key, identity)).ok_or_else(|| Error::not_found("key"))?;
    store::ssh_keys::delete(&mut write, key.id).await?;
    write.commit().await?;
    Ok(key)
}

fn is(key: &SshKey, identity: &str) -> bool {
    key.id.to_string() == identity || key.fingerprint == identity || key.fingerprint_md5 == identity
}

struct Parsed {
    public_key: String,
    comment: String,
    fingerprint: String,
    fingerprint_md5: String,
}

/// Reads `type base64 comment`. The blob begins with the type's name once more (RFC 4253, 6.6), which
/// must be the same.
fn parse(line: &str) -> Result<Parsed> {
    let bad =
        || Error::invalid("Public key is not valid: give the whole line of a file such as id_ed25519.pub.");
    let line = line.trim();
    text::check("Public key", line, 16 * 1024, &['\t'])?;
    let mut words = line.splitn(3, [' ', '\t']);
    let (kind, body) = words.next().zip(words.next()).ok_or_else(bad)?;
    let comment = words.next().unwrap_or_default().trim().to_owned();
    if !TYPES.contains(&kind) {
        return Err(Error::invalid(format!(
            "Public keys of type {kind:?} are not accepted; use one of: {}.",
            TYPES.join(", ")
        )));
    }
    let blob = STANDARD.decode(body).map_err(|_| bad())?;
    let (length, rest) = blob.split_first_chunk::<4>().ok_or_else(bad)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| bad())?;
    if rest.get(..length) != Some(kind.as_bytes()) || rest.len() == length {
        return Err(bad());
    }
    let hex: Vec<_> = Md5::digest(&blob).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Parsed {
        public_key: format!("{kind} {body}"),
        comment,
        fingerprint: format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&blob))),
        fingerprint_md5: hex.join(":"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made with ssh-keygen; the expected fingerprints are what `ssh-keygen -l` prints of it.
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJOLDLtBmXzmoQEQ3V8a2wvS4VIGnYJ0mPs3h9n0pA5";

    #[test]
    fn fingerprints_are_those_of_ssh_keygen() {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let file = folder.path().join("key.pub");
        std::fs::write(&file, format!("{KEY} me@laptop\n")).unwrap();
        let parsed = parse(&format!("{KEY} me@laptop\n")).unwrap();
        assert_eq!((parsed.public_key.as_str(), parsed.comment.as_str()), (KEY, "me@laptop"));
        for (hash, expected) in
            [("sha256", parsed.fingerprint), ("md5", format!("MD5:{}", parsed.fingerprint_md5))]
        {
            let output =
                std::process::Command::new("ssh-keygen").args(["-l", "-E", hash, "-f"]).arg(&file).output();
            let output = output.expect("install the package openssh-client");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(text.split(' ').nth(1), Some(expected.as_str()), "{text}");
        }
    }

    #[test]
    fn lines_that_are_no_keys() {
        let dsa = format!("ssh-dss {}", KEY.split(' ').nth(1).unwrap());
        let liar = format!("ssh-rsa {}", KEY.split(' ').nth(1).unwrap());
        for bad in [
            "",
            "ssh-rsa",
            "ssh-ed25519 ???",
            "ssh-ed25519 AAAA",
            "hello world",
            &dsa,
            &liar,
            "ssh-rsa AAAAB3NzaC1yc2E",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
