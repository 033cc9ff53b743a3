//! `launch.toml`: what a buildpack wants to run, and labels for the image.

use super::descriptor::{Api, place};
use super::env;
use serde::Deserialize;

/// `launch.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Launch {
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) processes: Vec<Process>,
}

/// A process type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) name: String,
    /// For a shell.
    pub(crate) command: String,
    pub(crate) default: bool,
}

/// Whether this can be the type of a process.
pub(crate) fn is_process(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && name.len() <= 128 && name.bytes().all(plain)
}

#[derive(Deserialize)]
struct LaunchToml {
    #[serde(default)]
    labels: Vec<Label>,
    #[serde(default)]
    processes: Vec<ProcessToml>,
    /// The app is one layer here; they are only read.
    #[serde(default, rename = "slices")]
    _slices: Vec<Slice>,
}

#[derive(Deserialize)]
struct Label {
    key: String,
    value: String,
}

#[derive(Deserialize)]
struct Slice {
    #[serde(rename = "paths")]
    _paths: Vec<String>,
}

#[derive(Deserialize)]
struct ProcessToml {
    r#type: String,
    command: Command,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    direct: bool,
    #[serde(default)]
    default: bool,
    #[serde(rename = "working-dir")]
    working_dir: Option<String>,
    #[serde(default, rename = "exec-env")]
    exec_env: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Command {
    /// Until 0.8.
    Text(String),
    Words(Vec<String>),
}

/// Reads a `launch.toml`.
pub(crate) fn parse(text: &str, api: Api) -> Result<Launch, String> {
    let read: LaunchToml = toml::from_str(text).map_err(|error| place(text, &error))?;
    let mut launch = Launch::default();
    for Label { key, value } in read.labels {
        if key.is_empty() || key.contains(char::is_control) || value.contains('\0') {
            return Err(format!("{key:?} is not the name of a label"));
        }
        launch.labels.push((key, value));
    }
    for process in read.processes {
        if !process.exec_env.is_empty()
            && !process.exec_env.iter().any(|one| one == "production" || one == "*")
        {
            continue;
        }
        let name = process.r#type.clone();
        if !is_process(&name) {
            return Err(format!("{name:?} is not a process type: use letters, digits, `.`, `_` and `-`"));
        }
        if launch.processes.iter().any(|earlier| earlier.name == name) {
            return Err(format!("the process type {name} is declared twice"));
        }
        if process.default && launch.processes.iter().any(|earlier| earlier.default) {
            return Err("it has more than one default process".into());
        }
        let default = process.default;
        launch.processes.push(Process { command: command(process, api)?, name, default });
    }
    Ok(launch)
}

/// The command as a line for a shell, which expands nothing that was meant to stay as it is.
fn command(process: ProcessToml, api: Api) -> Result<String, String> {
    let name = &process.r#type;
    let (direct, mut line) = match process.command {
        Command::Words(words) if api >= Api(9) && !words.is_empty() => {
            (true, words.iter().map(|word| plain_or_quoted(word)).collect::<Vec<_>>().join(" "))
        }
        Command::Text(text) if api < Api(9) && process.direct => (true, plain_or_quoted(&text)),
        Command::Text(text) if api < Api(9) && !text.trim().is_empty() => (false, text),
        _ if api < Api(9) => return Err(format!("the command of the process {name} is not a text")),
        _ => return Err(format!("the command of the process {name} is not a list of words")),
    };
    for word in &process.args {
        line.push(' ');
        if direct {
            line.push_str(&plain_or_quoted(word));
        } else {
            // Variables are replaced there.
            let escaped = word.replace('\\', "\\\\").replace('"', "\\\"").replace('`', "\\`");
            line.extend(["\"", &escaped.replace("$(", "\\$("), "\""]);
        }
    }
    if let Some(directory) =
        process.working_dir.filter(|directory| directory != "/app" && !directory.is_empty())
    {
        line = format!("cd {} && {}{line}", plain_or_quoted(&directory), if direct { "exec " } else { "" });
    }
    if line.contains(char::is_control) || line.len() > 32 << 10 {
        return Err(format!("the command of the process {name} has a line break, or is too long"));
    }
    Ok(line)
}

fn plain_or_quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    if !word.contains(char::is_control) {
        return env::quoted(word);
    }
    // Lists of processes are lines.
    let escaped = word.chars().map(|letter| match letter {
        '\'' | '\\' => format!("\\{letter}"),
        '\n' => "\\n".into(),
        letter if letter.is_control() && letter != '\0' => format!("\\u{:04x}", u32::from(letter)),
        letter => letter.to_string(),
    });
    format!("$'{}'", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_become_lines() {
        let command = |api, text: &str| {
            let text = format!("[[processes]]\ntype = \"web\"\n{text}");
            parse(&text, Api(api))
                .map(|launch| launch.processes.into_iter().map(|one| one.command).collect::<String>())
        };
        for (api, text, line) in [
            (
                10,
                "command = [\"node\"]\nargs = [\"--x=1\", \"a b\", \"$PORT\", \"\"]",
                "node --x=1 'a b' '$PORT' ''",
            ),
            (
                10,
                "command = [\"bash\", \"-c\", \"echo 'it'; serve $PORT\"]",
                r"bash -c 'echo '\''it'\''; serve $PORT'",
            ),
            (10, "command = [\"a\\n'b\\t\"]", r"$'a\n\'b\u0009'"),
            (10, "command = [\"serve\"]\nworking-dir = \"/app/a b\"", "cd '/app/a b' && exec serve"),
            (10, "command = [\"serve\"]\nworking-dir = \"/app\"", "serve"),
            (12, "command = [\"serve\"]\nexec-env = [\"test\"]", ""),
            (12, "command = [\"serve\"]\nexec-env = [\"test\", \"production\"]", "serve"),
            (8, "command = \"serve -p $PORT && x\"", "serve -p $PORT && x"),
            (8, "command = \"a b\"\ndirect = true\nargs = [\"$X\"]", "'a b' '$X'"),
            (
                8,
                "command = \"serve\"\nargs = [\"$PORT\", \"a\\\"`id`$(id)\"]",
                r#"serve "$PORT" "a\"\`id\`\$(id)""#,
            ),
        ] {
            assert_eq!(command(api, text).as_deref(), Ok(line), "{text}");
        }
        for (api, text, words) in [
            (10, "command = \"node\"", "is not a list of words"),
            (10, "command = []", "is not a list of words"),
            (8, "command = [\"node\"]", "is not a text"),
            (8, "command = \"a\\nb\"", "line break"),
            (10, "command = [\"a\\u0000b\"]", "line break"),
            (10, "command = [\"a\"]\n[[processes]]\ntype = \"web\"\ncommand = [\"b\"]", "declared twice"),
            (
                10,
                "command = [\"a\"]\ndefault = true\n[[processes]]\ntype = \"x\"\ncommand = [\"b\"]\ndefault = true",
                "more than one default",
            ),
            (
                10,
                "command = [\"a\"]\n[[processes]]\ntype = \"../x\"\ncommand = [\"b\"]",
                "not a process type",
            ),
            (10, "command = [\"a\"]\n[[labels]]\nkey = \"\"\nvalue = \"x\"", "name of a label"),
            (10, "command = [\"a\"]\n[[slices]]\npaths = 1", "line 5, column 9"),
            (10, "args = []", "missing field `command`"),
        ] {
            let why = command(api, text).unwrap_err();
            assert!(why.contains(words), "{text}: {why}");
        }
        let read =
            parse("[[labels]]\nkey = \"a\"\nvalue = \"b\"\n[[slices]]\npaths = [\"x/*\"]", Api(10)).unwrap();
        assert_eq!(read.labels, [("a".to_owned(), "b".to_owned())]);
    }
}
