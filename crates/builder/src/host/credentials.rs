//! Telling credentials from what may be shown to a stranger's build.

/// A value without the users and passwords of the addresses in it.
pub(super) fn without(value: &str) -> String {
    value.split(' ').map(bare).collect::<Vec<_>>().join(" ")
}

/// `https://user:password@host/path`, `user:password@host:3128` or `name=https://user@host`, without
/// what stands before the `@` of the authority.
fn bare(word: &str) -> String {
    let start = word.find("://").map_or(0, |at| at + 3);
    let (before, rest) = word.split_at(start);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{before}{}", &rest[at + 1..]),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_user_goes() {
        for (value, left) in [
            ("", ""),
            ("https://a.example/simple", "https://a.example/simple"),
            ("https://u:p@a.example/@scope/x", "https://a.example/@scope/x"),
            ("https://u:p%40q@a.example:8080?x=@", "https://a.example:8080?x=@"),
            ("https://u:p@q@a.example", "https://a.example"),
            ("http://u@a.example/ https://b.example/", "http://a.example/ https://b.example/"),
            ("u:p@proxy.example:3128", "proxy.example:3128"),
            ("inner=https://u:p@a.example/", "inner=https://a.example/"),
            ("localhost,.example.com", "localhost,.example.com"),
        ] {
            assert_eq!(without(value), left, "{value}");
        }
    }
}
