//! What users can set at an add-on beside its plan.

use crate::Definition;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One setting. What it may be is said by `values`, `number` or `letters`, of which it has one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// One sentence for its users.
    pub about: String,
    /// What it is until somebody sets it.
    pub default: String,
    /// Words that it may be, and what each means.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    /// A whole number.
    #[serde(default)]
    pub number: Option<Range>,
    /// Any of these letters, or none.
    #[serde(default)]
    pub letters: Option<String>,
}

/// The least and the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    pub least: u64,
    pub most: u64,
}

impl Setting {
    /// Checks a value. The error is for who wants to set it.
    ///
    /// # Errors
    /// When it may not be that.
    pub fn check(&self, value: &str) -> Result<(), String> {
        if let Some(Range { least, most }) = self.number {
            let fits = value.parse::<u64>().is_ok_and(|number| (least..=most).contains(&number));
            return fits
                .then_some(())
                .ok_or_else(|| format!("{value:?} is not a number from {least} to {most}"));
        }
        if let Some(letters) = &self.letters {
            let unknown = value.chars().find(|letter| !letters.contains(*letter));
            return unknown.map_or(Ok(()), |letter| Err(format!("{letter:?} is not one of {letters:?}")));
        }
        if self.values.contains_key(value) {
            return Ok(());
        }
        let words: Vec<_> = self.values.keys().map(String::as_str).collect();
        Err(format!("{value:?} is not one of: {}", words.join(", ")))
    }
}

impl Definition {
    /// All settings of an add-on, those that nobody set included.
    pub fn settings_with(&self, set: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let value = |name: &String, setting: &Setting| set.get(name).unwrap_or(&setting.default).clone();
        self.settings.iter().map(|(name, setting)| (name.clone(), value(name, setting))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked() {
        let setting = |text: &str| toml::from_str::<Setting>(text).expect("a setting");
        let number = setting("about = 'a'\ndefault = '3'\nnumber = { least = 0, most = 10 }");
        let word = setting("about = 'a'\ndefault = 'on'\nvalues = { on = 'x', off = 'y' }");
        let letters = setting("about = 'a'\ndefault = ''\nletters = 'KEg$'");
        for (setting, good, bad, why) in [
            (&number, "10", "11", "\"11\" is not a number from 0 to 10"),
            (&number, "0", "x", "\"x\" is not a number from 0 to 10"),
            (&word, "off", "maybe", "\"maybe\" is not one of: off, on"),
            (&letters, "K$", "KQ", "'Q' is not one of \"KEg$\""),
        ] {
            assert_eq!(setting.check(good), Ok(()));
            assert_eq!(setting.check(bad), Err(why.to_owned()));
        }
        assert_eq!(letters.check(""), Ok(()));
    }
}
