use super::*;
use crate::{BuildpackRef, DynoSize};

const EVERYTHING: &str = r#"{
  "$schema": "https://example.com/app.json",
  "name": "Small Sharp Tool",
  "description": "This app does one little thing, and does it well.",
  "keywords": ["productivity", "HTML5"],
  "website": "https://small-sharp-tool.com/",
  "repository": "https://git.example.com/jane/tool",
  "logo": "https://small-sharp-tool.com/logo.svg",
  "success_url": "/welcome",
  "scripts": {
    "postdeploy": "bundle exec rake bootstrap",
    "pr-predestroy": {"command": "bin/goodbye", "size": "Standard-1X"},
    "test-setup": "bin/setup", "test": "bin/test"
  },
  "env": {
    "SECRET_TOKEN": {"description": "Signs cookies.", "generator": "secret"},
    "WEB_CONCURRENCY": {"description": "Workers.", "value": "5"},
    "PLAIN": "text",
    "MUST": {},
    "MAY": {"required": false}
  },
  "formation": {"web": {"quantity": 2, "size": "standard-1x"}, "worker": {"quantity": 0}, "old": {"size": "hobby"}},
  "image": "heroku/ruby",
  "addons": ["openredis", {"plan": "mongolab:shared-single-small", "as": "MONGO", "options": {"version": "9.5"}}],
  "buildpacks": [{"url": "https://git.example.com/stomita/buildpack"}, {"url": "urn:buildpack:heroku/nodejs"}],
  "stack": "kigo-13",
  "features": ["runtime-dyno-metadata"],
  "environments": {"test": {"scripts": {"test": "bundle exec rake test"}, "addons": []}}
}"#;

#[test]
fn an_environment_has_its_own_say() {
    let text = r#"{"env": {"A": "1", "B": "2"}, "buildpacks": [{"url": "heroku/ruby"}],
        "scripts": {"test-setup": "setup", "test": "all"},
        "environments": {"test": {"env": {"A": "3"}, "scripts": {"test": "own"}}}}"#;
    let read = || AppJson::parse(text).unwrap().app_json;
    let test = read().in_environment("test");
    assert_eq!(test.env.keys().collect::<Vec<_>>(), ["A"]);
    assert_eq!(test.env["A"].value.as_deref(), Some("3"));
    assert_eq!(test.buildpacks[0].url, BuildpackRef("heroku/ruby".into()));
    let command = |script: Option<Script>| script.map(|script| script.command);
    assert_eq!(command(test.scripts.test).as_deref(), Some("own"));
    assert_eq!(command(test.scripts.test_setup).as_deref(), Some("setup"));
    assert_eq!(read().in_environment("review"), read());
}

#[test]
fn reads_every_key() {
    let Parsed { app_json: read, unknown } = AppJson::parse(EVERYTHING).unwrap();
    assert_eq!(unknown, [""; 0]);
    assert_eq!(read.keywords, ["productivity", "HTML5"]);
    assert_eq!(read.success_url.as_deref(), Some("/welcome"));
    assert_eq!(read.stack.as_deref(), Some("kigo-13"));
    let script = |command: &str, size| Some(Script { command: command.into(), size });
    assert_eq!(read.scripts.postdeploy, script("bundle exec rake bootstrap", None));
    assert_eq!(read.scripts.pr_predestroy, script("bin/goodbye", Some(DynoSize::Standard1X)));
    assert_eq!(
        (read.scripts.test_setup, read.scripts.test),
        (script("bin/setup", None), script("bin/test", None))
    );
    let env = |name: &str| &read.env[name];
    assert_eq!(env("SECRET_TOKEN").generator, Some(Generator::Secret));
    assert_eq!((env("PLAIN").value.as_deref(), env("PLAIN").required), (Some("text"), true));
    assert_eq!((env("MUST").required, env("MAY").required), (true, false));
    let entry = |name: &str| read.formation[&ProcessType::parse(name).unwrap()];
    assert_eq!(entry("web"), FormationEntry { quantity: Some(2), size: Some(DynoSize::Standard1X) });
    assert_eq!(entry("worker"), FormationEntry { quantity: Some(0), size: None });
    assert_eq!(entry("old").size, Some(DynoSize::Basic), "Heroku's old names are known");
    let plans: Vec<_> = read.addons.iter().map(|addon| addon.plan.as_str()).collect();
    assert_eq!(plans, ["openredis", "mongolab:shared-single-small"]);
    assert_eq!(read.addons[1].alias.as_deref(), Some("MONGO"));
    assert_eq!(read.addons[1].options["version"], "9.5");
    let buildpacks: Vec<_> = read.buildpacks.into_iter().map(|one| one.url).collect();
    let expected = ["https://git.example.com/stomita/buildpack", "heroku/nodejs"];
    assert_eq!(buildpacks, expected.map(|text| BuildpackRef(text.into())));
    assert_eq!(read.environments["test"].scripts.test, script("bundle exec rake test", None));
}

#[test]
fn says_nothing_of_what_it_is_not_told() {
    assert_eq!(AppJson::parse("\u{feff}{}").unwrap(), Parsed::default());
}

#[test]
fn keys_of_others_are_named_and_passed_over() {
    let text = r#"{"expo": {"name": "x", "web": [1]}, "scripts": {"postDeploy": "x"},
                   "environments": {"review": {"formations": {}}}}"#;
    let read = AppJson::parse(text).unwrap();
    assert_eq!(read.unknown, ["expo", "scripts.postDeploy", "environments.review.formations"]);
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_is_allowed() {
    for (text, expected) in [
        ("", "line 1, column 1: EOF while parsing a value"),
        ("[]", "line 1, column 1: invalid type: sequence, expected an object"),
        ("{\n  \"name\": \"a\",\n}", "line 3, column 1: trailing comma"),
        ("{} x", "line 1, column 4: trailing characters"),
        ("{\n  \"name\": 5\n}", "line 2, column 11 (name): invalid type: integer `5`, expected a string"),
        (
            "{\"env\": {\n\"A\": 5}}",
            "line 2, column 6 (env.A): invalid type: integer `5`, expected a text, or an object with `value`, `generator`, `required` and `description`",
        ),
        (
            "{\"env\": {\"A\": {\n\"generator\": \"sercet\"}}}",
            "line 2, column 21 (env.A.generator): unknown variant `sercet`, expected `secret`",
        ),
        (
            "{\"env\": {\"A\": {\n\"requird\": false}}}",
            "line 2, column 9 (env.A.requird): unknown field `requird`, expected one of `description`, `value`, `required`, `generator`",
        ),
        (
            "{\"env\": {\"A\": {\"required\": \"no\"}}}",
            "line 1, column 31 (env.A.required): invalid type: string \"no\", expected a boolean",
        ),
        (
            "{\"formation\": {\"web\": {\"quantity\": -1}}}",
            "line 1, column 37 (formation.web.quantity): invalid type: integer `-1`, expected a number of dynos: 0, 1, 2, …",
        ),
        (
            "{\"formation\": {\"web\": {\"size\": \"huge\"}}}",
            "(formation.web.size): No such dyno size as huge. Use one of Eco,",
        ),
        (
            "{\"formation\": {\"we b\": {}}}",
            "(formation.we b): Process type \"we b\" is not valid: use 1 to 128 letters",
        ),
        (
            "{\"buildpacks\": [\n{\"url\": \"\"}]}",
            "line 2, column 10 (buildpacks[0].url): a buildpack needs an address, or a name",
        ),
        ("{\"buildpacks\": [{}]}", "line 1, column 18 (buildpacks[0]): missing field `url`"),
        (
            "{\"buildpacks\": [\"heroku/ruby\"]}",
            "(buildpacks[0]): invalid type: string \"heroku/ruby\", expected an object",
        ),
        ("{\"formation\": {\"web\": [1]}}", "(formation.web): invalid type: sequence, expected an object"),
        ("{\"scripts\": []}", "(scripts): invalid type: sequence, expected an object"),
        ("{\"addons\": [{\"as\": \"DB\"}]}", "(addons[0]): missing field `plan`"),
        ("{\"addons\": {\"a\": 1}}", "(addons): invalid type: map, expected a sequence"),
        (
            "{\"scripts\": {\"postdeploy\": [\"a\"]}}",
            "(scripts.postdeploy): invalid type: sequence, expected a command, or an object with `command` and `size`",
        ),
        (
            "{\"success_url\": \"welcome\"}",
            "(success_url): expected a path that begins with \"/\", or an http:// or https:// address",
        ),
        (
            "{\"environments\": {\"test\": {\"env\": []}}}",
            "(environments.test.env): invalid type: sequence, expected a map",
        ),
    ] {
        let read = AppJson::parse(text);
        let error = read.expect_err(text).to_string();
        assert!(error.contains(expected), "{text:?}\n  says     {error}\n  expected {expected}");
    }
}
