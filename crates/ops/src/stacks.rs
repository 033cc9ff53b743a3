//! The stacks there are.

use crate::{Error, Result};
use uuid::Uuid;

/// The stack of new apps.
pub const DEFAULT: &str = "kigo-13";

/// The stack of apps that run images of their own: pushed to the registry, or built from a Dockerfile.
pub const CONTAINER: &str = "container";

/// One stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Stable id of the stack in the API.
    pub id: Uuid,
    pub name: &'static str,
    pub default: bool,
}

const STACKS: [Stack; 2] = [
    Stack { id: Uuid::from_u128(0x4a4c_4d4e_0002_4000_8000_0000_0000_0013), name: DEFAULT, default: true },
    Stack { id: Uuid::from_u128(0x4a4c_4d4e_0002_4000_8000_0000_0000_00c0), name: CONTAINER, default: false },
];

/// All stacks.
pub fn list() -> &'static [Stack] {
    &STACKS
}

/// One stack by name or id.
pub fn info(identity: &str) -> Result<Stack> {
    let is = |stack: &&Stack| stack.name == identity || stack.id.to_string() == identity;
    STACKS.iter().find(is).copied().ok_or_else(|| Error::not_found("stack"))
}

/// The name of the stack a user asked for by name or id.
pub(crate) fn check(identity: &str) -> Result<String> {
    let names: Vec<_> = STACKS.iter().map(|stack| stack.name).collect();
    info(identity).map(|stack| stack.name.to_owned()).map_err(|_| {
        Error::invalid(format!("Stack {identity:?} does not exist. Use one of: {}.", names.join(", ")))
    })
}
