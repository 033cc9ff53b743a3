//! What a dyno does first when buildpacks built its app: `/layers/config/launch.sh`, which is sourced
//! before anything of the app's. It is a few functions and the calls of them that the layers ask for.

use super::built::AtLaunch;
use super::env::quoted;
use std::io;
use std::path::Path;

/// The launch layers of one buildpack, by name; those of all, in the order of the build.
pub(crate) type Layers = [(String, Vec<(String, AtLaunch)>)];

/// Its variables alone, for programs of later buildpacks.
pub(crate) fn variables(layers: &Layers) -> String {
    let mut text = String::from(include_str!("launch.sh"));
    for (buildpack, layers) in layers {
        let here = |name: &str| format!("/layers/{buildpack}/{name}");
        // Paths stand in the order of the layers' names.
        text.extend(layers.iter().rev().map(|(name, one)| one.paths(&here(name))));
        text.extend(layers.iter().map(|(_, one)| one.variables()));
    }
    text
}

/// One kind of what a layer has for a dyno's start: of all processes, or of some.
type Part = fn(&AtLaunch, &str, bool) -> String;

/// The whole. `web` is the process type by which the buildpacks know what runs as `web`.
pub(crate) fn script(layers: &Layers, web: Option<&str>) -> String {
    let variables = variables(layers);
    let mut text = String::from("kigo_type=${DYNO-}\nkigo_type=${kigo_type%.*}\n");
    if let Some(web) = web {
        text.extend(["[ \"$kigo_type\" != web ] || kigo_type=", &quoted(web), "\n"]);
    }
    text.push_str(&variables);
    for part in [AtLaunch::programs as Part, AtLaunch::scripts as Part] {
        for of_processes in [false, true] {
            for (buildpack, layers) in layers {
                let each = layers.iter();
                text.extend(
                    each.map(|(name, one)| part(one, &format!("/layers/{buildpack}/{name}"), of_processes)),
                );
            }
        }
    }
    text.push_str("unset kigo_type\nunset -f kigo_env kigo_exec_d\n");
    text
}

/// Writes it and what it needs into the directory that becomes `/layers/config`.
pub(crate) fn write(directory: &Path, script: &str) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    std::fs::write(directory.join("launch.sh"), script)?;
    std::fs::write(directory.join("variables.pl"), include_str!("variables.pl"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// What `variables.pl` makes of a text, with `|` between pairs.
    fn variables_of(text: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("text"), text).unwrap();
        let mut perl = Command::new("perl");
        perl.args(["-e", include_str!("variables.pl")])
            .stdin(std::fs::File::open(dir.path().join("text")).unwrap());
        let output = perl.output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end_matches('\0').replace('\0', "|")
    }

    #[test]
    fn every_string_of_toml_is_read() {
        for (text, pairs) in [
            ("", ""),
            ("# nothing\n\n", ""),
            ("A = \"1\"\nB=\"\" # empty\n", "A=1|B="),
            ("A = \"a\\tb \\\"c\\\" \\\\ \\u00e9\\U0001F600\"\r\n", "A=a\tb \"c\" \\ é😀"),
            ("A = 'C:\\n \"x\"'", "A=C:\\n \"x\""),
            ("A = \"\"\"\none\ntwo \"\"x\"\"\\\n   three\"\"\"\"\"\n", "A=one\ntwo \"\"x\"\"three\"\""),
            ("A = '''\none's\n''two'''\nB = \"x\"", "A=one's\n''two|B=x"),
            ("\"A\" = \"1\"", "A=1"),
            ("A = 1", "=at 1"),
            ("A = \"1\" B = \"2\"", "=a name or value"),
            ("[table]\nA = \"1\"", "=at [table]"),
            ("A-B = \"1\"", "=a name or value"),
            ("A.b = \"1\"", "=at A.b = \"1\""),
            ("A = \"\\u0000\"", "=a name or value"),
            ("A = \"unclosed\n", "=at \"unclosed"),
            ("A = \"1\"\nnonsense", "=at nonsense"),
        ] {
            assert_eq!(variables_of(text), pairs, "{text}");
        }
        // As the library that most buildpacks in Rust use writes them.
        let values =
            ["plain", "with \"quotes\" and 'others'", "two\nlines\n", "tab\t\\ back\u{7f}", "''' \"\"\" \\"];
        for value in values {
            let text = toml::to_string(&toml::Table::from_iter([("X".to_owned(), value.into())])).unwrap();
            assert_eq!(variables_of(&text), format!("X={value}"), "{text}");
        }
    }

    /// Runs a script as the start of a dyno does, with another directory for `/layers`.
    fn start(layers: &Layers, files: &[(&str, &str)], dyno: &str, command: &str) -> (String, String, i32) {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let text = |text: &str| text.replace("/layers", dir.path().to_str().unwrap());
        for (name, content) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text(content)).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        write(&dir.path().join("config"), &text(&script(layers, Some("server")))).unwrap();
        let line = text(&format!(". /layers/config/launch.sh\nexec bash -c '{command}'"));
        let mut bash = Command::new("bash");
        bash.args(["-c", &line]).env_clear().env("PATH", "/usr/bin:/bin").env("DYNO", dyno).env("PORT", "80");
        let output = bash.output().unwrap();
        let shown = |bytes: Vec<u8>| {
            String::from_utf8(bytes).unwrap().replace(dir.path().to_str().unwrap(), "/layers")
        };
        (shown(output.stdout), shown(output.stderr), output.status.code().unwrap())
    }

    fn layer(more: &str) -> AtLaunch {
        let text = format!(
            "{{\"paths\": [\"bin\"], \"changes\": [], \"of_process\": {{}}, \"exec_d\": [], \"profile_d\": [] {more}}}"
        );
        // Later keys win.
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn layers_of_later_buildpacks_come_first_and_programs_in_order() {
        let change = "{\"name\": \"X\", \"action\": \"append\", \"value\": \"one\", \"delimiter\": \",\"}";
        let web = "{\"name\": \"X\", \"action\": \"append\", \"value\": \"web\", \"delimiter\": \",\"}";
        let layers = [
            (
                "a".to_owned(),
                vec![
                    (
                        "one".to_owned(),
                        layer(&format!(", \"changes\": [{change}], \"of_process\": {{\"server\": [{web}]}}")),
                    ),
                    ("two".to_owned(), layer(", \"exec_d\": [[null, \"b\"], [\"server\", \"c\"]]")),
                ],
            ),
            (
                "b".to_owned(),
                vec![(
                    "three".to_owned(),
                    layer(", \"exec_d\": [[null, \"d\"]], \"profile_d\": [[null, \"p.sh\"]]"),
                )],
            ),
        ];
        let files = [
            ("a/two/exec.d/b", "#!/bin/sh\necho to the log\necho \"FROM_B = '$X'\nPORT = '1'\" >&3"),
            ("a/two/exec.d/server/c", "#!/bin/sh\necho \"FROM_C = '$FROM_D'\" >&3"),
            ("b/three/exec.d/d", "#!/bin/sh\necho \"FROM_D = '$FROM_B!'\" >&3"),
            ("b/three/profile.d/p.sh", "export SAID=$FROM_D"),
        ];
        let (out, err, code) =
            start(&layers, &files, "web.1", "echo $PATH $X $FROM_C $PORT $SAID ${kigo_type-gone}");
        assert_eq!(
            out,
            "to the log\n/layers/b/three/bin:/layers/a/one/bin:/layers/a/two/bin:/usr/bin:/bin one,web one,web! 80 one,web! gone\n"
        );
        assert_eq!((err.as_str(), code), ("", 0));
        let (out, _, _) = start(&layers, &files, "run.12", "echo $X ${FROM_C-none} $SAID");
        assert_eq!(out, "to the log\none none one!\n");
    }

    #[test]
    fn a_program_that_fails_starts_nothing() {
        let layers = [("a".to_owned(), vec![("l".to_owned(), layer(", \"exec_d\": [[null, \"x\"]]"))])];
        for (program, words) in [
            ("#!/bin/sh\nexit 3", "/layers/a/l/exec.d/x ended with status 3, so that nothing is started.\n"),
            (
                "#!/bin/sh\necho oops >&3",
                "What /layers/a/l/exec.d/x wrote is no list of variables: at oops\n",
            ),
        ] {
            let (out, err, code) = start(&layers, &[("a/l/exec.d/x", program)], "web.1", "echo started");
            assert_eq!((out.as_str(), err.as_str(), code), ("", words, 1));
        }
    }
}
