use super::*;

const GOOD: &str = r#"{
  "id": "memo",
  "name": "Memo",
  "api": {
    "config_vars_prefix": "MEMO",
    "config_vars": [
      "MEMO_URL",
      "MEMO_TOKEN"
    ],
    "password": "geheim-1234",
    "sso_salt": "salz-123456",
    "regions": ["us", "eu"],
    "requires": ["many_per_app", "syslog_drain"],
    "version": "3",
    "production": {
      "base_url": "https://memo.example.com/heroku/resources",
      "sso_url": "https://memo.example.com/sso/login"
    },
    "test": {
      "base_url": "http://localhost:4567/heroku/resources",
      "sso_url": "http://localhost:4567/sso/login"
    }
  },
  "plans": [
    { "name": "small" },
    { "name": "large", "title": "Large", "cents": 900 }
  ],
  "$base": 7
}"#;

#[test]
fn one_as_heroku_s_tools_write_it_is_taken() {
    let (manifest, secrets) = Manifest::parse(GOOD).expect("a manifest");
    assert_eq!((secrets.password.as_str(), secrets.sso_salt.as_str()), ("geheim-1234", "salz-123456"));
    let definition = manifest.definition();
    assert_eq!((definition.name.as_str(), definition.title.as_str()), ("memo", "Memo"));
    assert_eq!(definition.default_plan, "small");
    assert_eq!(definition.plan("large").map(|plan| plan.cents), Some(900));
    assert!(definition.many_per_app && !definition.sharing);
    assert_eq!(definition.config_names("MEMO"), ["MEMO_TOKEN", "MEMO_URL"]);
    let given = [("URL".to_owned(), "memo://1".to_owned())].into();
    let vars = definition.config_vars("NOTES", None, &given).expect("config vars");
    assert_eq!(vars, [("NOTES_URL".to_owned(), "memo://1".to_owned())].into());
    let contract = definition.contract.expect("a partner");
    assert!(contract.reads_logs && !contract.writes_logs);
}

#[test]
fn what_is_kept_has_no_secrets_and_is_read_again() {
    let (manifest, _) = Manifest::parse(GOOD).expect("a manifest");
    let kept = manifest.to_keep().expect("text");
    assert!(!kept.contains("geheim") && !kept.contains("salz"), "{kept}");
    assert_eq!(Manifest::kept(&kept).expect("the same"), manifest);
    assert!(!format!("{manifest:?}").contains("geheim"));
}

#[test]
fn without_plans_there_is_one_for_tests() {
    let text = GOOD.replace("\"plans\"", "\"other\"");
    let definition = Manifest::parse(&text).expect("a manifest").0.definition();
    assert_eq!((definition.default_plan.as_str(), definition.plans.len()), ("test", 1));
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (from, to, words) in [
        ("\"memo\",", "\"Memo!\",", "\"Memo!\" is no name: start with a letter"),
        ("\"memo\",", "\"memo\"", "expected `,` or `}` at line 3"),
        ("\"MEMO_URL\"", "\"NOTE_URL\"", "\"NOTE_URL\" does not begin with the prefix \"MEMO_\" at line 7."),
        ("\"MEMO_URL\"", "\"MEMO_\"", "\"MEMO_\" does not begin with the prefix"),
        ("\"MEMO_URL\"", "\"memo_url\"", "\"memo_url\" is no name of a config var"),
        ("\"MEMO_TOKEN\"", "\"MEMO_URL\"", "\"MEMO_URL\" is there twice at line 7."),
        ("\"geheim-1234\"", "\"short\"", "a secret has from 8 to 512 characters"),
        ("\"geheim-1234\"", "7", "invalid type: integer `7`, expected a text at line 10"),
        ("\"password\"", "\"pasword\"", "missing field `password`"),
        ("\"3\"", "\"1\"", "version 3 of the Add-on Partner API is spoken here"),
        (
            "https://memo.example.com/h",
            "http://memo.example.com/h",
            "must be https: a password goes there at line 16",
        ),
        ("https://memo.example.com/h", "ftp://memo.example.com/h", "is neither http nor https at line 16"),
        ("https://memo.example.com/h", "https://a:b@memo.example.com/h", "may have neither a user"),
        ("\"https://memo.example.com/sso/login\"", "\"login\"", "\"login\" is no address"),
        ("\"name\": \"large\"", "\"name\": \"small\"", "the plan \"small\" is there twice"),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let error = Manifest::parse(&text).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(words) && error.contains("line"), "{error} instead of {words}");
    }
}

#[test]
fn the_example_of_the_document_is_right() {
    let document = include_str!("../../../../docs/addons/partners.md");
    let (_, rest) = document.split_once("```json\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let (manifest, _) = Manifest::parse(example).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(manifest.definition().config_names("MEMO"), ["MEMO_URL"]);
}
