//! What the programs for dynos make of their environment.

use std::path::Path;
use std::process::Command;

/// The variables that a script adds to `variables`, sorted, and what it says.
fn sourced(script: &str, variables: &[(&str, &str)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/languages/jvm").join(script);
    let output = Command::new("bash")
        // Builds source it with `set -u`.
        .args(["-uc", "before=$(env); . \"$0\"; comm -13 <(sort <<< \"$before\") <(env | sort)"])
        .arg(path)
        .env_clear()
        .envs(variables.iter().copied())
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let own = |line: &&str| !line.starts_with("SHLVL=");
    text.split_inclusive('\n').filter(own).collect::<String>() + &String::from_utf8(output.stderr).unwrap()
}

#[test]
fn databases_are_told_as_java_wants_them() {
    let url = "postgres://me:geheim@db.example:5432/app";
    let cases: [&[(&str, &str)]; 11] = [
        &[("DATABASE_URL", url)],
        &[("DATABASE_URL", "postgresql://me:a%40b%25:c@db.example/app?sslmode=disable&x=1#f")],
        &[("DATABASE_URL", url), ("CI", "true"), ("DISABLE_SPRING_DATASOURCE_URL", "true")],
        &[("DATABASE_URL", "mysql://me:$(false)`false`\\n@db.example/app")],
        &[("DATABASE_URL", "postgres://me@db.example/app")],
        &[("DATABASE_URL", "mongodb://me:geheim@db.example/app")],
        &[("DATABASE_URL", "nonsense")],
        &[("DATABASE_URL", url), ("DATABASE_CONNECTION_POOL_URL", "postgres://pool:p@db.example:6000/app")],
        &[("JAWSDB_MARIA_URL", "mariadb://me:geheim@db.example/app"), ("SPRING_DATASOURCE_URL", "own")],
        &[("HEROKU_POSTGRESQL_BLUE_URL", url), ("HEROKU_POSTGRESQL_BLUE_JDBC_URL", "jdbc:postgresql://x/")],
        &[],
    ];
    let told = cases.map(|case| format!("{case:?}\n{}", sourced("jdbc.sh", case)));
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn other_services_are_told_as_spring_wants_them() {
    let cases: [&[(&str, &str)]; 4] = [
        &[("REDIS_URL", "rediss://x"), ("INFERENCE_KEY", "k")],
        &[("REDIS_URL", "rediss://x"), ("SPRING_REDIS_URL", "own")],
        &[("REDIS_URL", "rediss://x"), ("DISABLE_SPRING_REDIS_URL", "true")],
        &[],
    ];
    let told = cases.map(|case| format!("{case:?}\n{}", sourced("spring.sh", case)));
    insta::assert_snapshot!(told.join("\n"));
}
