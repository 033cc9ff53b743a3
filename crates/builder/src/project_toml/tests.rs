use super::*;

#[test]
fn reads_what_builds_can_honour_and_tells_the_rest() {
    let read = parse(
        "[_]\nschema-version = \"0.2\"\nname = \"x\"\n\n[io.buildpacks]\nbuilder = \"heroku/builder:24\"\nexclude = [\"*.md\"]\n\n\
         [[io.buildpacks.group]]\nid = \"heroku/nodejs\"\nversion = \"1.2\"\n\n\
         [[io.buildpacks.group]]\nuri = \"https://git.example.com/a/b.git#v1\"\n\n\
         [[io.buildpacks.group]]\nid = \"heroku/procfile\"\n\n\
         [[io.buildpacks.build.env]]\nname = \"A\"\nvalue = \"1\"\n\n[com.heroku]\nx = 1\n",
    )
    .unwrap();
    let names: Vec<_> = read.buildpacks.iter().map(|one| one.0.as_str()).collect();
    assert_eq!(names, ["heroku/nodejs", "https://git.example.com/a/b.git#v1"]);
    assert_eq!(read.env, BTreeMap::from([("A".into(), "1".into())]));
    assert_eq!(read.notes.len(), 2, "{:?}", read.notes);
    assert!(
        read.notes[0].starts_with("io.buildpacks.builder: ") && read.notes[1].starts_with("version 1.2 of")
    );
    assert!(parse("").unwrap().buildpacks.is_empty());
    for (uri, entry) in
        [("docker://a/b:v1", "docker://a/b:v1"), ("./packs/a", "./packs/a"), ("packs/a", "./packs/a")]
    {
        let read = parse(&format!("[[io.buildpacks.group]]\nuri = \"{uri}\"")).unwrap();
        assert_eq!(read.buildpacks[0].0, entry);
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_is_allowed() {
    for (text, expected) in [
        ("a = \n", "line 1, column "),
        (
            "[_]\nschema-version = \"0.1\"",
            "line 2, column 18: schema-version \"0.1\" is not read here; it has to be \"0.2\"",
        ),
        (
            "[io.buildpacks]\n\nexclude = \"a\"",
            "line 3, column 11: invalid type: string \"a\", expected a sequence",
        ),
        (
            "[io.buildpacks]\nexcludes = []",
            "line 2, column 1: unknown field `excludes`, expected one of `builder`, `group`",
        ),
        (
            "[[io.buildpacks.group]]\nname = \"a\"",
            "line 2, column 1: unknown field `name`, expected one of `id`, `uri`, `version`",
        ),
        ("[[io.buildpacks.group]]\nversion = \"1\"", "each io.buildpacks.group needs an id or a uri"),
        (
            "[[io.buildpacks.group]]\nuri = \"urn:cnb:registry:a/b\"",
            "line 2, column 7: \"urn:cnb:registry:a/b\" cannot be used here",
        ),
        (
            "[[io.buildpacks.group]]\nid = \"a/b\"\n[io.buildpacks.group.script]\napi = \"0.8\"",
            "line 3, column ",
        ),
        (
            "[[io.buildpacks.build.env]]\nname = \"A-B\"\nvalue = \"\"",
            "line 2, column 8: \"A-B\" is not the name of a variable",
        ),
        ("[[io.buildpacks.build.env]]\nname = \"A\"", "missing field `value`"),
        (
            "[io.buildpacks]\nexclude = [\"a\"]\ninclude = [\"b\"]",
            "line 3, column 11: include and exclude cannot both be given",
        ),
        ("[io.buildpacks]\nexclude = [\"a\", \"[z-a]\"]", "line 2, column 17: "),
    ] {
        let error = parse(text).expect_err(text).to_string();
        assert!(error.contains(expected), "{text:?}\n  says     {error}\n  expected {expected}");
    }
}

/// Makes the files, applies the descriptor and lists what is left.
fn left(descriptor: &str, files: &[&str]) -> Vec<String> {
    let tree = tempfile::tempdir().unwrap();
    for file in files {
        let path = tree.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    std::fs::write(tree.path().join(FILE), format!("[io.buildpacks]\n{descriptor}")).unwrap();
    read(tree.path()).unwrap().unwrap().apply(tree.path()).unwrap();
    files.iter().filter(|file| tree.path().join(file).exists()).map(ToString::to_string).collect()
}

#[test]
fn leaves_out_files_or_takes_some_alone() {
    let files = ["a.md", "docs/b.md", "src/lib/c.js", "src/d.md", "web.js"];
    for (descriptor, kept) in [
        ("", &files[..]),
        ("exclude = [\"*.md\", \"!/a.md\"]", &["a.md", "src/lib/c.js", "web.js"][..]),
        ("exclude = [\"/src\"]", &["a.md", "docs/b.md", "web.js"][..]),
        ("include = [\"src/\", \"web.js\"]", &["src/lib/c.js", "src/d.md", "web.js"][..]),
        ("include = [\"*.js\"]", &["src/lib/c.js", "web.js"][..]),
    ] {
        assert_eq!(left(descriptor, &files), kept, "{descriptor}");
    }
    let tree = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(tree.path().join("docs/more")).unwrap();
    std::fs::write(tree.path().join("web.js"), "").unwrap();
    parse("[io.buildpacks]\ninclude = [\"web.js\"]").unwrap().apply(tree.path()).unwrap();
    assert!(!tree.path().join("docs").exists(), "nothing in it was named");
}
