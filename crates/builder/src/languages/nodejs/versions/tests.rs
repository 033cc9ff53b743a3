//! Which versions are chosen.

use super::*;

fn package(versions: &[(&str, &str)]) -> Package {
    let versions = versions.iter().map(|(version, engines)| {
        let release =
            serde_json::json!({"engines": {"node": engines}, "dist": {"tarball": "https://r/x.tgz"}});
        ((*version).to_owned(), release)
    });
    let versions: serde_json::Map<_, _> = versions.collect();
    serde_json::from_value(serde_json::json!({"versions": versions})).unwrap()
}

fn asked(text: &str) -> Asked {
    Asked { text: text.into(), place: "engines.x".into() }
}

#[test]
fn node_versions() {
    let nodes =
        ["4.9.1", "18.20.8", "20.9.0", "20.20.2", "22.23.3", "24.1.0", "24.21.0", "25.0.0-rc.1", "26.10.0"];
    let nodes = package(&nodes.map(|version| (version, "")));
    for (wanted, expected) in [
        (None, "24.21.0"),
        (Some("24"), "24.21.0"),
        (Some("24.x"), "24.21.0"),
        (Some("^20.0.0"), "20.20.2"),
        (Some("~20.9"), "20.9.0"),
        (Some("20.9.0"), "20.9.0"),
        (Some("v20.9.0"), "20.9.0"),
        (Some(">=18"), "24.21.0 limited"),
        (Some(">=18 <21"), "20.20.2 wide"),
        (Some(">=25"), "26.10.0 wide"),
        (Some("18 || 22"), "22.23.3"),
        (Some("18 - 20"), "20.20.2 wide"),
        (Some("*"), "24.21.0 limited"),
        (Some("latest"), "26.10.0"),
        (Some("lts/*"), "24.21.0"),
        (Some("lts/Iron"), "20.20.2"),
        (Some("25.x"), "none of 26.10.0 24.21.0 22.23.3 20.20.2 18.20.8 4.9.1"),
        (Some("twenty"), "bad"),
    ] {
        let found = match choose_node(wanted.map(asked).as_ref(), &nodes, false) {
            Ok((version, _, None)) => version.to_string(),
            Ok((version, _, Some(Warning::WideRange(_)))) => format!("{version} wide"),
            Ok((version, _, Some(Warning::LimitedRange { .. }))) => format!("{version} limited"),
            Err(NodeError::NoVersion { offered, .. }) => format!("none of {}", offered.join(" ")),
            Err(NodeError::BadVersion { .. }) => "bad".to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(found, expected, "{wanted:?}");
    }
    let wide = choose_node(Some(&asked(">=18")), &nodes, true).unwrap();
    assert_eq!(wide.0.to_string(), "26.10.0");
}

#[test]
fn npm_goes_with_node_unless_asked_for() {
    let npms = package(&[
        ("6.14.18", "6 >=6.2.0 || 8 || >= 9.3.0"),
        ("10.9.4", "^18.17.0 || >=20.5.0"),
        ("11.1.0", "^20.17.0 || >=22.9.0"),
        ("11.21.2", "^20.17.0 || >=24.5.0"),
        ("12.2.0", ">=26"),
    ]);
    for (wanted, node, expected) in [
        (None, "24.21.0", Some("11.21.2")),
        (None, "24.1.0", Some("11.1.0")),
        (None, "22.23.3", Some("10.9.4")),
        (None, "26.10.0", Some("11.21.2")),
        (None, "14.21.3", Some("6.14.18")),
        (Some("10"), "24.21.0", Some("10.9.4")),
        (Some("9.x"), "24.21.0", None),
    ] {
        let node = Version::parse(node).unwrap();
        let found = choose_npm(wanted.map(asked).as_ref(), &node, &npms).ok();
        let found = found.map(|(version, _)| version.to_string());
        assert_eq!(found.as_deref(), expected, "{wanted:?} {node}");
    }
}

#[test]
fn a_package_manager_is_what_is_asked_for_or_what_made_the_lockfile() {
    let pnpms = package(&[
        ("8.15.9", ">=16.14"),
        ("9.1.0", ">=18.12"),
        ("10.34.8", ">=18.12"),
        ("11.28.10", ">=22.13"),
        ("12.0.0-rc.0", ""),
    ]);
    for (wanted, default, node, expected) in [
        (Some("9.1.0"), ">=9", "24.21.0", Some("9.1.0")),
        (Some("^10"), ">=9", "24.21.0", Some("10.34.8")),
        (Some("latest"), ">=9", "24.21.0", Some("11.28.10")),
        (Some("7.x"), ">=9", "24.21.0", None),
        (Some("seven"), ">=9", "24.21.0", None),
        (None, ">=9", "24.21.0", Some("11.28.10")),
        (None, ">=9", "20.20.2", Some("10.34.8")),
        (None, "8.x", "24.21.0", Some("8.15.9")),
        (None, "6.x", "24.21.0", None),
    ] {
        let node = Version::parse(node).unwrap();
        let found = choose_manager("pnpm", wanted.map(asked).as_ref(), default, &node, &pnpms).ok();
        let found = found.map(|(version, _)| version.to_string());
        assert_eq!(found.as_deref(), expected, "{wanted:?} {default} {node}");
    }
}
