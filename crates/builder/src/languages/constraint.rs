//! Version constraints as Composer and Bundler write them, held against a release series. Whether one
//! fits to the last digit, they check themselves when they install.

/// `[from, to)`, of versions of three numbers.
type Span = ([u32; 3], [u32; 3]);

const END: [u32; 3] = [u32::MAX; 3];
const ALL: Span = ([0; 3], END);

/// Whether some version of the series, for example `8.4`, fits; `None` if the constraint cannot be
/// understood.
pub(crate) fn allows(constraint: &str, series: &str) -> Option<bool> {
    let (series, _) = numbers(series)?;
    let span = (series, [series[0], series[1] + 1, 0]);
    let mut fits = false;
    for alternative in constraint.split('|').map(str::trim).filter(|text| !text.is_empty()) {
        let spans = all_of(alternative)?;
        let (from, to) = spans.into_iter().fold(span, |(a, b), (c, d)| (a.max(c), b.min(d)));
        fits |= from < to;
    }
    Some(fits)
}

/// Constraints that are separated by spaces or commas.
fn all_of(text: &str) -> Option<Vec<Span>> {
    if let Some((low, high)) = text.split_once(" - ") {
        let (from, _) = numbers(low.trim())?;
        let (to, given) = numbers(high.trim())?;
        return Some(vec![(from, after(to, given))]);
    }
    let text = text.replace(',', " ");
    let mut spans = Vec::new();
    let mut operator = String::new();
    for word in text.split_whitespace() {
        operator.push_str(word);
        // An operator may be apart from its version.
        if word.bytes().any(|b| b.is_ascii_digit() || b == b'*') {
            spans.push(one(&operator)?);
            operator.clear();
        }
    }
    (operator.is_empty() && !spans.is_empty()).then_some(spans)
}

fn one(text: &str) -> Option<Span> {
    // A stability is of no matter.
    let text = text.split('@').next().unwrap_or(text);
    let begin = text.find(|c: char| !"<>=!^~".contains(c)).unwrap_or(text.len());
    let (operator, version) = text.split_at(begin);
    if version == "*" {
        return Some(ALL);
    }
    let (version, given) = numbers(version)?;
    Some(match operator {
        "" | "=" | "==" => (version, after(version, given)),
        ">=" => (version, END),
        ">" => (after(version, 3), END),
        "<" => ([0; 3], version),
        "<=" => ([0; 3], after(version, 3)),
        // Excludes a version of a series that has others.
        "!=" | "<>" => ALL,
        "^" => (version, if version[0] == 0 { after(version, 2) } else { after(version, 1) }),
        "~" | "~>" => (version, after(version, given.saturating_sub(1).max(1))),
        _ => return None,
    })
}

/// The first version that differs from this one in the first `given` numbers.
fn after(version: [u32; 3], given: usize) -> [u32; 3] {
    let mut next = [0; 3];
    for (index, number) in version.into_iter().enumerate().take(given) {
        next[index] = number;
    }
    next[given - 1] += 1;
    next
}

/// Three numbers, and how many of them were given: `8.2` and `8.2.*` are two.
fn numbers(text: &str) -> Option<([u32; 3], usize)> {
    let text = text.trim_start_matches('v').split('-').next().unwrap_or(text);
    let parts: Vec<&str> = text.split('.').take_while(|part| !["*", "x", "X"].contains(part)).collect();
    let mut version = [0; 3];
    let given = parts.len().min(3);
    for (number, part) in version.iter_mut().zip(&parts) {
        *number = part.parse().ok().filter(|number| *number < u32::MAX)?;
    }
    (given > 0).then_some((version, given))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_against_a_series() {
        for (constraint, fits) in [
            ("*", true),
            ("^8.2", true),
            ("^8.4.3", true),
            ("^8.5", false),
            ("^7.4 || ^8.0", true),
            ("^7.4|^9", false),
            ("~8.2", true),
            ("~8.2.0", false),
            ("~8.4.0", true),
            ("~8", true),
            ("8.4.*", true),
            ("8.*", true),
            ("8.3.*", false),
            ("8.4", true),
            ("8.4.28", true),
            ("8.3.1", false),
            (">=8.1 <8.4", false),
            (">= 8.1, < 8.5", true),
            (">8.4.2", true),
            ("<=8.4.2", true),
            ("<8.4", false),
            ("8.1 - 8.3", false),
            ("8.1 - 8.4", true),
            (">=8.1 !=8.4.2", true),
            ("^8.2@dev", true),
            ("v8.4.1-beta1", true),
            ("^0.3", false),
            ("~> 8.4.0", true),
            ("~> 8.3.0", false),
            ("~> 8.2", true),
        ] {
            assert_eq!(allows(constraint, "8.4"), Some(fits), "{constraint}");
        }
        for constraint in ["eight", ">=", "^", "8.x.y.z >", "dev-main", "8.99999999999"] {
            assert_eq!(allows(constraint, "8.4"), None, "{constraint}");
        }
    }
}
