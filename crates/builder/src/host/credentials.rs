//! Telling credentials from what may be shown to a stranger's build.

/// A value without the users and passwords of the addresses in it.
pub(super) fn without(value: &str) -> String {
    value.split(' ').map(bare).collect::<Vec<_>>().join(" ")
}

/// `https://user:password@host/path`, `user:password@host:3128` or `name=https://user@host`, without
/// what stands before the `@` of the authority; several such addresses likewise.
fn bare(word: &str) -> String {
    let start = word.find("://").map_or(0, |at| at + 3);
    let (before, rest) = word.split_at(start);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let kept = authority.rfind('@').map_or(authority, |at| &authority[at + 1..]);
    // What follows an address may be another one, possibly at once: `https://a,https://b`.
    let rest = match rest.strip_prefix("//").filter(|_| authority.ends_with(':')) {
        Some(next) => format!("//{}", bare(next)),
        None if rest.contains("://") => bare(rest),
        None => rest.to_owned(),
    };
    format!("{before}{kept}{rest}")
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
            (
                "https://u:p@a.example,https://x:y@b.example/c|direct",
                "https://a.example,https://b.example/c|direct",
            ),
            ("https://a.example/x,https://u:p@b.example", "https://a.example/x,https://b.example"),
            ("u:p@proxy.example:3128", "proxy.example:3128"),
            ("inner=https://u:p@a.example/", "inner=https://a.example/"),
            ("localhost,.example.com", "localhost,.example.com"),
        ] {
            assert_eq!(without(value), left, "{value}");
        }
    }
}
