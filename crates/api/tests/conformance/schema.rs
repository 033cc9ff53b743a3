//! The published hyper-schema: its links, and whether an answer is what a link promises.

use http::Method;
use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

/// Where Kigo must differ from the letter of the schema, because the letter names Heroku's own
/// hosts and regions. Each is a JSON pointer and the keyword that is dropped there.
const RELAXED: &[(&str, &str, &str)] = &[
    ("/definitions/app/definitions/git_url", "pattern", "names git.heroku.com"),
    ("/definitions/app/definitions/web_url", "pattern", "names herokuapp.com"),
    ("/definitions/region/definitions/provider/properties/region", "enum", "lists regions of Amazon"),
    ("/definitions/domain/definitions/hostname", "format", "a host name is no URI; Heroku answers one too"),
];

/// Properties that the schema declares and that answers leave out, with the reason.
const LEFT_OUT: &[(&str, &str, &str)] = &[];

/// The schema.
pub struct Schema {
    definitions: Map<String, Value>,
    pub links: Vec<SchemaLink>,
}

/// One link.
#[derive(Clone, Debug)]
pub struct SchemaLink {
    pub definition: String,
    pub title: String,
    pub method: Method,
    /// `/apps/{app}/features`
    pub path: String,
    /// What the answer must be; `None` if the schema does not say.
    target: Option<Value>,
}

impl Schema {
    /// Reads the schema and applies what is relaxed.
    pub fn read(text: &str) -> Self {
        let mut root: Value = serde_json::from_str(text).expect("the schema is JSON");
        for (pointer, keyword, _) in RELAXED {
            let place = root.pointer_mut(pointer).and_then(Value::as_object_mut);
            let place = place.unwrap_or_else(|| panic!("{pointer} is gone from the schema"));
            assert!(place.remove(*keyword).is_some(), "{pointer} has no {keyword} to relax any more");
        }
        let definitions = root["definitions"].as_object_mut().expect("definitions");
        let mut links = Vec::new();
        for (name, definition) in definitions.iter_mut() {
            let definition = definition.as_object_mut().expect("a definition is an object");
            // These name documents that are not there, and would be taken for a new base address.
            definition.remove("id");
            definition.remove("$schema");
            for link in definition.get("links").and_then(Value::as_array).into_iter().flatten() {
                links.push(read_link(name, link));
            }
        }
        Self { definitions: definitions.clone(), links }
    }

    /// What is wrong with a body that `link` answered; empty if nothing is. Beside what the schema
    /// says, every property that it declares at the top must be there: it requires next to none,
    /// so that `{}` would pass for nearly everything.
    pub fn faults(&self, link: &SchemaLink, body: &Value) -> Vec<String> {
        let Some(target) = &link.target else { return Vec::new() };
        let mut faults: Vec<String> = self
            .validator(target)
            .iter_errors(body)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        if target.get("items").is_some() {
            let item = &target["items"];
            for (index, value) in body.as_array().into_iter().flatten().enumerate() {
                faults.extend(self.missing(item, value).map(|name| format!("/{index}: no `{name}`")));
            }
        } else {
            faults.extend(self.missing(target, body).map(|name| format!("no `{name}`")));
        }
        faults
    }

    /// Whether the answer to a link is a list.
    pub fn is_list(link: &SchemaLink) -> bool {
        link.target.as_ref().is_some_and(|target| target.get("items").is_some())
    }

    fn validator(&self, target: &Value) -> Validator {
        let mut document = Map::new();
        document.insert("definitions".into(), Value::Object(self.definitions.clone()));
        document.insert("allOf".into(), json!([target]));
        jsonschema::options()
            .with_draft(Draft::Draft4)
            .should_validate_formats(true)
            .should_ignore_unknown_formats(true)
            .with_format("uuid", |text: &str| uuid::Uuid::parse_str(text).is_ok())
            .build(&Value::Object(document))
            .expect("the schema can be compiled")
    }

    /// Declared properties that `value` lacks.
    fn missing<'a>(&'a self, schema: &'a Value, value: &'a Value) -> impl Iterator<Item = &'a String> {
        let (definition, schema) = match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => {
                let pointer = reference.trim_start_matches("#/definitions/");
                let mut place = &self.definitions[pointer.split('/').next().unwrap_or_default()];
                for key in pointer.split('/').skip(1) {
                    place = &place[key];
                }
                (pointer, place)
            }
            None => ("", schema),
        };
        let declared = schema.get("properties").and_then(Value::as_object);
        declared.into_iter().flat_map(Map::keys).filter(move |name| {
            let left_out = LEFT_OUT.iter().any(|(of, property, _)| *of == definition && property == name);
            value.get(name.as_str()).is_none() && !left_out
        })
    }
}

fn read_link(definition: &str, link: &Value) -> SchemaLink {
    let text = |key: &str| link[key].as_str().unwrap_or_default();
    SchemaLink {
        definition: definition.to_owned(),
        title: text("title").to_owned(),
        // One link says `Get`.
        method: text("method").to_uppercase().parse().expect("a method"),
        path: readable(text("href")),
        target: link.get("targetSchema").cloned(),
    }
}

/// `/apps/{(%23%2Fdefinitions%2Fapp%2Fdefinitions%2Fidentity)}` → `/apps/{app}`
fn readable(href: &str) -> String {
    let segment = |segment: &str| match segment.strip_prefix("{(").and_then(|rest| rest.strip_suffix(")}")) {
        Some(pointer) => {
            let pointer = pointer.replace("%2F", "/").replace("%23", "#");
            let name = pointer.trim_start_matches("#/definitions/").split('/').next().unwrap_or_default();
            format!("{{{name}}}")
        }
        None => segment.to_owned(),
    };
    href.split('/').map(segment).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        let property = |word: &str| json!({"definitions": {word: {"pattern": "x"}}});
        Schema::read(
            &json!({"definitions": {
                "app": {
                    "id": "schemata/app", "$schema": "http://nowhere/",
                    "definitions": {
                        "git_url": {"pattern": "x"}, "web_url": {"pattern": "x"},
                        "id": {"type": ["string"], "format": "uuid"},
                    },
                    "properties": {"id": {"$ref": "#/definitions/app/definitions/id"}},
                    "links": [
                        {"title": "Info", "method": "Get", "targetSchema": {"$ref": "#/definitions/app"},
                         "href": "/apps/{(%23%2Fdefinitions%2Fapp%2Fdefinitions%2Fid)}"},
                        {"title": "List", "method": "GET", "href": "/apps",
                         "targetSchema": {"type": ["array"], "items": {"$ref": "#/definitions/app"}}},
                    ],
                },
                "region": {"definitions": {"provider": {"properties": {"region": {"enum": ["a"]}}}}},
                "domain": {"definitions": {"hostname": {"format": "uri"}}},
                "other": property("x"),
            }})
            .to_string(),
        )
    }

    #[test]
    fn finds_what_is_wrong() {
        let schema = schema();
        let (info, list) = (&schema.links[0], &schema.links[1]);
        assert_eq!((info.method.as_str(), info.path.as_str()), ("GET", "/apps/{app}"));
        let good = json!({"id": "01234567-89ab-4def-8123-456789abcdef"});
        assert_eq!(schema.faults(info, &good), Vec::<String>::new());
        assert_eq!(schema.faults(list, &json!([good, good])), Vec::<String>::new());
        for (link, body) in [
            (info, json!({})),
            (info, json!({"id": 7})),
            (info, json!({"id": "no uuid"})),
            (list, json!({})),
            (list, json!([{}])),
        ] {
            assert!(!schema.faults(link, &body).is_empty(), "{body}");
        }
    }
}
