//! The script by which git finds credentials among config vars.

use std::io::Write;
use std::process::{Command, Stdio};

fn answer(action: &str, question: &str, config: &[(&str, &str)]) -> String {
    let mut helper = Command::new("bash")
        .args(["-c", include_str!("credentials.sh"), "credentials.sh", action])
        .envs(config.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It need not listen to a question that it has no answer to.
    let asked = helper.stdin.take().unwrap().write_all(question.as_bytes());
    assert!(asked.is_ok() || asked.is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe));
    String::from_utf8(helper.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn credentials_are_those_of_the_host() {
    let config = [
        ("GO_GIT_CRED__HTTPS__GITHUB__COM", "t0ken"),
        ("GO_GIT_CRED__HTTPS__GIT__EXAMPLE__COM", "me:pass:word"),
    ];
    for (action, question, expected) in [
        ("get", "protocol=https\nhost=github.com\n", "username=t0ken\npassword=t0ken\n"),
        ("get", "protocol=https\nhost=git.example.com\npath=a=b\n\n", "username=me\npassword=pass:word\n"),
        ("get", "protocol=http\nhost=github.com\n", ""),
        ("get", "protocol=https\nhost=gitlab.com\n", ""),
        ("get", "protocol=https\nhost=github.com:8443\n", ""),
        ("get", "protocol=https\nhost=$(id)\n", ""),
        ("store", "protocol=https\nhost=github.com\n", ""),
    ] {
        assert_eq!(answer(action, question, &config), expected, "{action} {question}");
    }
}
