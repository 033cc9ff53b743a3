//! Random values: user names, passwords.

use crate::{Definition, Running, ValueRule};
use rand::RngExt;
use std::collections::BTreeMap;

const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

impl ValueRule {
    fn make(&self) -> String {
        let mut rng = rand::rng();
        let random = (0..self.random).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())]));
        self.prefix.chars().chain(random).collect()
    }
}

impl Running {
    /// Values for a new container.
    pub fn make_values(&self) -> BTreeMap<String, String> {
        self.values.iter().map(|(name, rule)| (name.clone(), rule.make())).collect()
    }
}

impl Definition {
    /// Values for a new add-on's own credential.
    pub fn make_values(&self) -> BTreeMap<String, String> {
        self.values.iter().map(|(name, rule)| (name.clone(), rule.make())).collect()
    }

    /// Values for a credential in the place of the old ones.
    pub fn make_rotated_values(&self, old: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut values = old.clone();
        for (name, rule) in self.values.iter().filter(|(_, rule)| rule.rotated) {
            values.insert(name.clone(), rule.make());
        }
        values
    }

    /// Values for a further credential of the add-on whose own ones are `first`: what each has for
    /// itself is made anew.
    pub fn make_further_values(&self, first: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut values = first.clone();
        for (name, rule) in self.values.iter().filter(|(_, rule)| rule.each_credential) {
            values.insert(name.clone(), rule.make());
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_as_long_as_the_rule_says_and_differ() {
        let rule = ValueRule { prefix: "u".into(), random: 13, each_credential: false, rotated: false };
        let (one, two) = (rule.make(), rule.make());
        assert_ne!(one, two);
        assert!(one.len() == 14 && one.starts_with('u'), "{one}");
        assert!(one.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{one}");
    }
}
