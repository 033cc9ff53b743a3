//! The space form of commands: `kigo config set` is `kigo config:set`.

use crate::commands::NAMES;
use std::ffi::OsString;

/// Joins the first two words where that makes the name of a command. `run bash` stays, because
/// there is no command `run:bash`.
pub(crate) fn canonical(mut words: Vec<OsString>) -> Vec<OsString> {
    let [_, topic, verb, ..] = words.as_slice() else { return words };
    let (Some(topic), Some(verb)) = (topic.to_str(), verb.to_str()) else { return words };
    let joined = format!("{topic}:{verb}");
    if NAMES.contains(&joined.as_str()) {
        words.splice(1..=2, [OsString::from(joined)]);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_pairs_are_joined_and_nothing_else() {
        for (given, expected) in [
            ("kigo config set A=1", "kigo config:set A=1"),
            ("kigo config:set A=1", "kigo config:set A=1"),
            ("kigo run bash", "kigo run bash"),
            ("kigo run detached ls", "kigo run:detached ls"),
            ("kigo ps -a x", "kigo ps -a x"),
            ("kigo apps destroy x", "kigo apps:destroy x"),
            ("kigo", "kigo"),
            ("kigo maintenance on", "kigo maintenance:on"),
        ] {
            let words = canonical(given.split(' ').map(OsString::from).collect());
            let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
            assert_eq!(words.join(" "), expected);
        }
    }
}
