//! Regions, stacks and generations. An installation is one region of one generation.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use wire::NamedRef;

/// When the things that come with Kigo itself came to be.
pub(crate) const SINCE: Timestamp = Timestamp::constant(1_763_769_600, 0);

/// An id for what has a name but no row, always the same.
pub(crate) fn stable_id(kind: &str, name: &str) -> Uuid {
    let hash = Sha256::digest(format!("kigo/{kind}/{name}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

pub(crate) fn region(region: &ops::regions::Region) -> wire::place::Region {
    wire::place::Region {
        id: region.id,
        name: region.name.into(),
        country: "Here".into(),
        description: region.description.into(),
        locale: "Here".into(),
        private_capable: false,
        provider: wire::place::Provider { name: "kigo".into(), region: region.name.into() },
        created_at: SINCE.into(),
        updated_at: SINCE.into(),
    }
}

/// The one generation: slugs and dynos, as on Heroku's Cedar.
pub(crate) fn generation() -> wire::place::Generation {
    wire::place::Generation {
        id: stable_id("generation", "cedar"),
        name: "cedar".into(),
        unsupported_features: Vec::new(),
        expanded_supported_features: Vec::new(),
        created_at: SINCE.into(),
        updated_at: SINCE.into(),
    }
}

/// A stack as other resources mention it; also one that is not offered any more.
pub(crate) fn stack_ref(name: &str) -> NamedRef {
    let id = ops::stacks::info(name).map_or_else(|_| stable_id("stack", name), |stack| stack.id);
    NamedRef { id, name: name.to_owned() }
}

pub(crate) fn stack(stack: &ops::stacks::Stack) -> wire::place::Stack {
    wire::place::Stack {
        id: stack.id,
        name: stack.name.into(),
        default: stack.default,
        state: "public".into(),
        created_at: SINCE.into(),
        updated_at: SINCE.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::Time;

    #[test]
    fn ids_stay_the_same() {
        assert_eq!(stable_id("stack", "kigo-13"), stable_id("stack", "kigo-13"));
        assert_ne!(stable_id("stack", "kigo-13"), stable_id("region", "kigo-13"));
        assert_eq!(stable_id("stack", "kigo-13").get_version_num(), 4);
        assert_eq!(Time(SINCE).to_string(), "2025-11-22T00:00:00Z");
    }
}
