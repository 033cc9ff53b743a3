//! Random names, keys and tokens. All come from the thread's generator of `rand`, which is
//! cryptographically secure and seeded by the system.

use domain::AppName;

/// An API token: 256 random bits behind a prefix by which scanners for leaked secrets can tell it.
pub(crate) fn token() -> String {
    format!("KIGO-{}", hex::encode(rand::random::<[u8; 32]>()))
}

/// The unguessable part of an address: 256 random bits in hex.
pub(crate) fn key() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

/// A password for somebody who gave none: 120 random bits.
pub(crate) fn password() -> String {
    hex::encode(rand::random::<[u8; 15]>())
}

/// The number of a one-off dyno, which Heroku gives four digits.
pub(crate) fn dyno_number() -> u32 {
    rand::random_range(1000..=9999)
}

/// `adjective-noun-NNNNN`, as Heroku names apps that their makers did not name.
pub(crate) fn app_name() -> AppName {
    let pick = |words: &[&'static str]| words[rand::random_range(0..words.len())];
    let text = format!("{}-{}-{:05}", pick(&ADJECTIVES), pick(&NOUNS), rand::random_range(10_000..100_000));
    AppName::parse(&text).unwrap_or_else(|error| unreachable!("{text} is no app name: {error}"))
}

const ADJECTIVES: [&str; 48] = [
    "amber", "ancient", "autumn", "bold", "brave", "bright", "calm", "clear", "cold", "cool", "crimson",
    "dawn", "deep", "distant", "dry", "early", "fair", "fast", "fresh", "gentle", "golden", "green",
    "hidden", "high", "humble", "icy", "keen", "kind", "late", "light", "little", "lively", "lucky", "mild",
    "misty", "noble", "patient", "plain", "proud", "quiet", "rapid", "safe", "silent", "silver", "steady",
    "still", "warm", "wild",
];

const NOUNS: [&str; 48] = [
    "bay", "beach", "birch", "bird", "brook", "canyon", "cedar", "cliff", "cloud", "coast", "creek", "dune",
    "feather", "field", "fjord", "flower", "fog", "forest", "garden", "glade", "grove", "harbor", "haze",
    "hill", "island", "lake", "leaf", "meadow", "moon", "mountain", "oak", "ocean", "peak", "pine",
    "plateau", "pond", "rain", "reef", "ridge", "river", "shore", "sky", "snow", "star", "stone", "stream",
    "valley", "wave",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_words_makes_an_app_name() {
        for adjective in ADJECTIVES {
            for noun in NOUNS {
                assert!(AppName::parse(&format!("{adjective}-{noun}-00000")).is_ok(), "{adjective}-{noun}");
            }
        }
        app_name();
    }

    #[test]
    fn tokens_are_long_and_differ() {
        let (one, two) = (token(), token());
        assert_ne!(one, two);
        assert_eq!(one.len(), "KIGO-".len() + 64);
    }
}
