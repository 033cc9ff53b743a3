use super::*;
use crate::Manifest;

fn definition() -> Definition {
    let text = r#"{ "id": "memo", "api": {
        "config_vars": ["MEMO_URL", "MEMO_TOKEN"], "password": "geheim-1", "sso_salt": "salz-1234", "version": 3,
        "requires": ["syslog_drain"],
        "production": { "base_url": "https://memo.example.com/r", "sso_url": "https://memo.example.com/sso" } } }"#;
    Manifest::parse(text).expect("a manifest").0.definition()
}

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, body: body.into() }
}

fn ordered_as(status: u16, body: &str) -> Result<Given, Trouble> {
    let definition = definition();
    let contract = definition.contract.clone().expect("a contract");
    ordered(&contract, &definition, &answer(status, body))
}

#[test]
fn an_order_is_done_now_or_later() {
    let given = ordered_as(
        201,
        r#"{"id": "r1", "config": {"MEMO_URL": "m://1"}, "message": "Hello\nyou", "log_drain_url": "https://l/1", "more": 1}"#,
    );
    let expected = Given {
        id: Some("r1".into()),
        config: Some([("URL".into(), "m://1".into())].into()),
        message: Some("Hello you".into()),
        log_drain_url: Some("https://l/1".into()),
        later: false,
    };
    assert_eq!(given, Ok(expected));
    let later = ordered_as(202, r#"{"id": 17}"#).expect("later");
    assert!(later.later && later.id.as_deref() == Some("17") && later.config.is_none());
}

#[test]
fn what_breaks_the_contract_is_not_used() {
    let long = format!(r#"{{"id": "r1", "config": {{"MEMO_URL": "{}"}}}}"#, "x".repeat(CONFIG_LIMIT));
    let long_id = format!(r#"{{"id": "{}"}}"#, "x".repeat(ID_LIMIT + 1));
    for (status, body, words) in [
        (200, "", "no id"),
        (200, "{}", "no id"),
        (200, "nonsense", "not what is expected"),
        (200, "[]", "not what is expected"),
        (200, r#"{"id": null}"#, "no id"),
        (200, r#"{"id": ""}"#, "no word"),
        (200, r#"{"id": ".."}"#, "no word"),
        (200, r#"{"id": "a b"}"#, "no word"),
        (200, &long_id, "no word"),
        (200, r#"{"id": "r1", "config": {"PATH": "/evil"}}"#, "\"PATH\" is not one that its manifest names"),
        (200, r#"{"id": "r1", "config": {"MEMO_OTHER": "x"}}"#, "MEMO_TOKEN, MEMO_URL"),
        (200, r#"{"id": "r1", "config": {"MEMO_URL": 7}}"#, "not what is expected"),
        (200, r#"{"id": "r1", "config": {"MEMO_URL": "a\u0000b"}}"#, "a NUL byte"),
        (200, r#"{"id": "r1", "config": []}"#, "not what is expected"),
        (200, r#"{"id": "r1", "config": {"MEMO_URL": "a", "MEMO_URL": "b"}}"#, "is there twice"),
        (200, r#"{"id": "r1", "id": "r2"}"#, "duplicate field"),
        (200, &long, "at most 32768 are taken"),
        (302, "", "redirects are not followed"),
        (401, "", "it answered 401"),
        (404, "", "it answered 404"),
    ] {
        match ordered_as(status, body) {
            Err(Trouble::Broken(why)) => assert!(why.contains(words), "{why} instead of {words}"),
            other => panic!("{status} {body}: {other:?}"),
        }
    }
}

#[test]
fn refusals_are_told_and_outages_are_not() {
    let refused = |status, text: &str| {
        assert_eq!(
            ordered_as(status, &format!(r#"{{"message": "{text}"}}"#)),
            Err(Trouble::Refused(text.into()))
        );
    };
    refused(422, "Not in this region.");
    refused(503, "We are full.");
    for (status, body) in [(503, ""), (503, "<html>"), (500, r#"{"message": "stack trace"}"#), (429, "")] {
        assert!(matches!(ordered_as(status, body), Err(Trouble::Later(_))), "{status}");
    }
    assert!(matches!(ordered_as(422, ""), Err(Trouble::Broken(_))));
}

#[test]
fn plans_change_and_what_is_given_up_is_gone() {
    let definition = definition();
    let contract = definition.contract.clone().expect("a contract");
    let change = |status, body: &str| changed(&contract, &definition, &answer(status, body));
    assert_eq!(change(200, ""), Ok(Given::default()));
    assert_eq!(change(200, r#"{"message": "Bigger."}"#).expect("done").message.as_deref(), Some("Bigger."));
    assert_eq!(change(422, r#"{"message": "No."}"#), Err(Trouble::Refused("No.".into())));
    for status in [200, 202, 204, 404, 410] {
        assert_eq!(given_up(&answer(status, "")), Ok(()));
    }
    assert!(matches!(given_up(&answer(500, "")), Err(Trouble::Later(_))));
    assert!(matches!(given_up(&answer(301, "")), Err(Trouble::Broken(_))));
}

#[test]
fn places_and_tokens() {
    for (base, id, expected) in [
        ("https://a/r", "1", "https://a/r/1"),
        ("https://a/r/", "1", "https://a/r/1"),
        ("https://a", "x/../y?z", "https://a/x%2F..%2Fy%3Fz"),
    ] {
        assert_eq!(place(&base.parse().expect("an address"), id).as_str(), expected);
    }
    // Heroku's own example.
    let token = sso_token("123", "2f97bfa52ca102f8874716e2eb1d3b4920ad0be4", 1_267_597_772);
    assert_eq!(token, "bb466eb1d6bc345d11072c3cd25c311f21be130d");
    // As `printf r1:salz:1700000000:u1:ada@example.com | sha256sum` says.
    assert_eq!(
        sso_token_of_user("r1", "salz", 1_700_000_000, "u1", "ada@example.com"),
        "c90ac2e250bfc8c7bd47e102ca365d94811da1838fa85538db052467d214efbd"
    );
}
