use super::*;
use serde_json::json;

fn read(text: &str) -> Result<(Option<String>, Option<usize>, bool), String> {
    Range::parse(text).map(|range| (range.attribute, range.max, range.descending))
}

#[test]
fn reads_what_clients_send() {
    let attribute = |name: &str| Some(name.to_owned());
    for (text, expected) in [
        ("", (None, None, false)),
        ("  ", (None, None, false)),
        ("version ..; max=15, order=desc", (attribute("version"), Some(15), true)),
        ("version ..; order=desc,max=1", (attribute("version"), Some(1), true)),
        ("version ..;order=desc", (attribute("version"), None, true)),
        ("id ..; max=1000;", (attribute("id"), Some(1000), false)),
        ("id", (attribute("id"), None, false)),
        ("max=5", (None, Some(5), false)),
        ("name a..b; colour=red", (attribute("name"), None, false)),
    ] {
        assert_eq!(read(text), Ok(expected), "{text:?}");
    }
}

#[test]
fn refuses_what_has_no_meaning() {
    for (text, words) in [
        ("id ..; max=0", "`max=0`"),
        ("id ..; max=x", "`max=x`"),
        ("id ..; order=up", "`order=up`"),
        ("id 5", "`5` is not a range"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(words), "{text:?}: {error}");
    }
}

/// Applies a header to the versions 1 to 5; gives those of the page and its headers.
fn page(text: &str) -> Result<(Vec<i64>, String, Option<String>), ApiError> {
    let items: Vec<_> =
        (1..=5).map(|version| json!({"version": version, "id": format!("i{version}")})).collect();
    let range = Range::parse(text).map_err(ApiError::bad_range)?;
    let page = Page::select(&range, &["version", "id"], &items)?;
    let versions = page.body.iter().map(|item| item["version"].as_i64().unwrap()).collect();
    Ok((versions, page.content_range, page.next_range))
}

#[test]
fn selects_orders_and_continues() {
    for (text, versions, content, next) in [
        ("", vec![1, 2, 3, 4, 5], "version 1..5; max=200", None),
        ("version ..; max=2", vec![1, 2], "version 1..2; max=2", Some("version ]2..; max=2")),
        ("version ]2..; max=2", vec![3, 4], "version 3..4; max=2", Some("version ]4..; max=2")),
        ("version ]4..; max=2", vec![5], "version 5..5; max=2", None),
        ("version 2..4", vec![2, 3, 4], "version 2..4; max=200", None),
        ("version 2..4[", vec![2, 3], "version 2..3; max=200", None),
        ("version [2..4]", vec![2, 3, 4], "version 2..4; max=200", None),
        (
            "version ..; max=2, order=desc",
            vec![5, 4],
            "version 5..4; max=2, order=desc",
            Some("version ]4..; max=2, order=desc"),
        ),
        ("version ]4..2; order=desc", vec![3, 2], "version 3..2; max=200, order=desc", None),
        ("id i2..i3", vec![2, 3], "id i2..i3; max=200", None),
        ("version 9..", vec![], "version ..; max=200", None),
        ("version ..3; max=1", vec![1], "version 1..1; max=1", Some("version ]1..3; max=1")),
        ("version ..; max=5000", vec![1, 2, 3, 4, 5], "version 1..5; max=1000", None),
    ] {
        assert_eq!(page(text).unwrap(), (versions, content.into(), next.map(Into::into)), "{text:?}");
    }
}

#[test]
fn following_next_range_visits_everything_once() {
    for order in ["asc", "desc"] {
        let mut seen = Vec::new();
        let mut next = Some(format!("id ..; max=2, order={order}"));
        while let Some(range) = next {
            let (versions, _, following) = page(&range).unwrap();
            seen.extend(versions);
            next = following;
        }
        if order == "desc" {
            seen.reverse();
        }
        assert_eq!(seen, [1, 2, 3, 4, 5]);
    }
}

#[test]
fn an_unknown_attribute_is_named() {
    let error = page("size ..").unwrap_err();
    assert_eq!(error.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(error.body.message, "This list cannot be ordered by `size`. Use `version` or `id`.");
}
