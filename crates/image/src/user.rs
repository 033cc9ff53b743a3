//! Who an image's programs run as: `USER` of a Dockerfile, looked up in the image's own `/etc/passwd`
//! and `/etc/group`.

use crate::view::View;
use std::io;

/// Bytes of `/etc/passwd` or `/etc/group` that are read.
const LIMIT: u64 = 1 << 20;
/// A container has so many ids.
const MAX_ID: u32 = 65_535;

/// A user as the kernel knows one, and where that user is at home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    /// As `/etc/passwd` has it.
    pub home: Option<String>,
}

/// Why a user cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    #[error("its USER {0:?} is neither a number nor a name in its /etc/passwd and /etc/group")]
    Unknown(String),
    #[error("its USER has the number {0}, and numbers up to {MAX_ID} are allowed")]
    TooLarge(u64),
    #[error("its files cannot be read")]
    Read(#[source] io::Error),
}

/// One line of `/etc/passwd`.
struct Entry<'a> {
    name: &'a str,
    uid: u64,
    gid: u64,
    home: &'a str,
}

impl View {
    /// The user that `USER` names: `name`, `uid`, `name:group`, `uid:gid`. Root, and nobody in
    /// particular, become `instead`, because no program of a stranger is to run as root, not even as
    /// a container's.
    pub fn user(&self, user: Option<&str>, instead: u32) -> Result<Identity, UserError> {
        let text = |path: &str| {
            let bytes = self.read(path, LIMIT).map_err(UserError::Read)?.unwrap_or_default();
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let (passwd, group) = (text("etc/passwd")?, text("etc/group")?);
        resolve(user.unwrap_or_default().trim(), instead, &passwd, &group)
    }
}

fn resolve(user: &str, instead: u32, passwd: &str, group: &str) -> Result<Identity, UserError> {
    let unknown = || UserError::Unknown(user.to_owned());
    let (wanted, wanted_group) =
        user.split_once(':').map_or((user, None), |(user, group)| (user, Some(group)));
    let entries = || passwd.lines().filter_map(entry);
    let (uid, of_user) = match wanted.parse::<u64>() {
        Ok(uid) => (uid, entries().find(|entry| entry.uid == uid)),
        Err(_) if wanted.is_empty() => (0, None),
        Err(_) => {
            let found = entries().find(|entry| entry.name == wanted).ok_or_else(unknown)?;
            (found.uid, Some(found))
        }
    };
    if uid == 0 {
        let home = entries().find(|entry| entry.uid == u64::from(instead)).map(|entry| entry.home);
        return Ok(Identity { uid: instead, gid: instead, home: home.and_then(absolute) });
    }
    let gid = match wanted_group.filter(|group| !group.is_empty()) {
        // As Docker has it: who is in no list belongs to the group 0, which can do nothing special here.
        None => of_user.as_ref().map_or(0, |entry| entry.gid),
        Some(named) => match named.parse::<u64>() {
            Ok(gid) => gid,
            Err(_) => group.lines().find_map(|line| gid_of(line, named)).ok_or_else(unknown)?,
        },
    };
    let small = |id: u64| u32::try_from(id).ok().filter(|id| *id <= MAX_ID).ok_or(UserError::TooLarge(id));
    Ok(Identity { uid: small(uid)?, gid: small(gid)?, home: of_user.and_then(|entry| absolute(entry.home)) })
}

fn entry(line: &str) -> Option<Entry<'_>> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, ..] = fields[..] else { return None };
    Some(Entry { name, uid: uid.parse().ok()?, gid: gid.parse().ok()?, home })
}

fn gid_of(line: &str, name: &str) -> Option<u64> {
    let mut fields = line.split(':');
    (fields.next()? == name).then_some(())?;
    fields.nth(1)?.parse().ok()
}

fn absolute(home: &str) -> Option<String> {
    (home.starts_with('/') && !home.contains('\0')).then(|| home.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnonsense\nnode:x:1000:1000::/home/node:/bin/sh\n\
                          app:x:70:71::/srv/app:/bin/false\nfar:x:100000:1::/:\nodd:x:5:5::relative:\n";
    const GROUP: &str = "root:x:0:\nwheel:x:10:app\nfar:x:70000:\n";

    #[test]
    fn users_are_found_in_the_images_own_lists() {
        for (user, uid, gid, home) in [
            ("", 1000, 1000, Some("/home/node")),
            ("root", 1000, 1000, Some("/home/node")),
            ("0:0", 1000, 1000, Some("/home/node")),
            ("node", 1000, 1000, Some("/home/node")),
            ("app", 70, 71, Some("/srv/app")),
            ("70", 70, 71, Some("/srv/app")),
            ("app:wheel", 70, 10, Some("/srv/app")),
            ("app:5", 70, 5, Some("/srv/app")),
            ("1001", 1001, 0, None),
            ("1001:1002", 1001, 1002, None),
            ("5", 5, 5, None),
        ] {
            let found = resolve(user, 1000, PASSWD, GROUP).unwrap();
            assert_eq!((found.uid, found.gid, found.home.as_deref()), (uid, gid, home), "{user}");
        }
        let bare = resolve("", 1000, "", "").unwrap();
        assert_eq!(bare, Identity { uid: 1000, gid: 1000, home: None });
    }

    #[test]
    fn what_is_nobody_is_refused() {
        for user in
            ["nobody", "app:nobody", "far", "far:1", "70000", "app:far", "app:70000", "-1", "4294967296"]
        {
            assert!(resolve(user, 1000, PASSWD, GROUP).is_err(), "{user}");
        }
    }
}
