//! Rejects an OpenAPI document with a key that the generator would ignore, or with a fault for which it would write
//! code that does not compile. The check does not find all such faults. It runs before the module `lower` changes the
//! document. It also rejects a response that could not be read tolerantly. Each error has a line number. An error in
//! the content of the YAML document also has a JSON Pointer.

mod response;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use serde_json::Value;

use super::lower::TEXT_TYPES;

/// The kind of an object in the OpenAPI document, for example an operation or a schema. Each kind allows other keys.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Root,
    PathItem,
    Operation,
    Parameter,
    Body,
    Response,
    Media,
    Components,
    Schema,
    Other,
}

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
const TYPES: [&str; 6] = ["string", "number", "integer", "boolean", "object", "array"];

impl Part {
    fn keys(self) -> &'static str {
        match self {
            Self::Root => "openapi info servers security tags paths components",
            Self::PathItem => "parameters get post put patch delete summary description",
            Self::Operation => {
                "operationId tags summary description parameters requestBody responses deprecated security"
            }
            Self::Parameter => {
                "name in required description schema example deprecated explode style"
            }
            Self::Body => "required description content",
            Self::Response => "description headers content x-error-codes",
            Self::Media => "schema example",
            Self::Components => {
                "schemas responses parameters securitySchemes headers requestBodies"
            }
            Self::Schema => {
                "type format nullable description title enum default example properties required \
                 additionalProperties items allOf anyOf oneOf minimum maximum minLength maxLength \
                 minItems maxItems maxProperties pattern deprecated x-needed x-usual-format"
            }
            Self::Other => "",
        }
    }

    /// Returns the section of `components` that a reference in the place of this part must lead to.
    fn section(self) -> Option<&'static str> {
        match self {
            Self::Parameter => Some("parameters"),
            Self::Body => Some("requestBodies"),
            Self::Response => Some("responses"),
            Self::Schema => Some("schemas"),
            _ => None,
        }
    }

    /// Returns whether the value of `key` must be `true` or `false`.
    fn is_boolean(self, key: &str) -> bool {
        // The `required` of a schema is a list of fields.
        matches!(key, "nullable" | "deprecated" | "explode")
            || (key == "required" && self != Self::Schema)
    }
}

/// Checks the text of the OpenAPI document.
///
/// # Errors
/// Fails with the first error and its line. An error in the content of the YAML document also has a JSON Pointer.
pub fn check(file: &str, text: &str) -> Result<(), String> {
    if text.starts_with('\u{feff}') {
        return Err(format!("{file}:1: the file starts with a byte order mark"));
    }
    let nodes = MarkedYaml::load_from_str(text)
        .map_err(|e| format!("{file}:{}: {e}", e.marker().line()))?;
    let [node] = nodes.as_slice() else {
        return Err(format!("{file}:1: one YAML document is needed"));
    };
    let mut check = Check {
        lines: HashMap::new(),
        value: Value::Null,
    };
    let result = check.convert(node, "").and_then(|value| {
        check.value = value;
        check.document()
    });
    result
        .map_err(|(pointer, why)| format!("{file}:{}: at #{pointer}: {why}", check.line(&pointer)))
}

/// The JSON Pointer and the text of an error.
type Fault = (String, String);

struct Check {
    lines: HashMap<String, usize>,
    value: Value,
}

fn fault<T>(pointer: &str, why: impl Into<String>) -> Result<T, Fault> {
    Err((pointer.to_owned(), why.into()))
}

fn step(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Returns the letters and digits of a name, in lower case. Two names with the same result, for example `user_id` and
/// `userId`, could get the same name in Rust.
fn rust_name(name: &str) -> String {
    let clean = name.chars().filter(|c| c.is_alphanumeric());
    clean.flat_map(char::to_lowercase).collect()
}

fn unique<'a>(
    pointer: &str,
    what: &str,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), Fault> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for name in names {
        if rust_name(name).is_empty() {
            return fault(
                &step(pointer, name),
                format!("the {what} `{name}` has no name in Rust"),
            );
        }
        if let Some(other) = seen.insert(rust_name(name), name) {
            let why =
                format!("the {what}s `{other}` and `{name}` could have the same name in Rust");
            return fault(&step(pointer, name), why);
        }
    }
    Ok(())
}

impl Check {
    fn line(&self, pointer: &str) -> usize {
        let mut path = pointer;
        loop {
            match (self.lines.get(path), path.rfind('/')) {
                (Some(line), _) => return *line,
                (None, Some(end)) => path = &path[..end],
                (None, None) => return 1,
            }
        }
    }

    /// Converts YAML to JSON, and records the line of each part. Merge keys (`<<`) are rejected, because the
    /// generator's parser treats a merge key as a field.
    fn convert(&mut self, node: &MarkedYaml<'_>, pointer: &str) -> Result<Value, Fault> {
        self.lines
            .entry(pointer.to_owned())
            .or_insert(node.span.start.line());
        Ok(match &node.data {
            YamlData::Value(Scalar::Null) => Value::Null,
            YamlData::Value(Scalar::Boolean(value)) => (*value).into(),
            YamlData::Value(Scalar::Integer(value)) => (*value).into(),
            YamlData::Value(Scalar::FloatingPoint(value)) => value.into_inner().into(),
            YamlData::Value(Scalar::String(text)) => text.to_string().into(),
            YamlData::Sequence(items) => {
                let convert = |(i, item)| self.convert(item, &format!("{pointer}/{i}"));
                items
                    .iter()
                    .enumerate()
                    .map(convert)
                    .collect::<Result<_, _>>()?
            }
            YamlData::Mapping(pairs) => {
                let mut map = serde_json::Map::new();
                for (key, item) in pairs {
                    let YamlData::Value(Scalar::String(name)) = &key.data else {
                        return fault(pointer, "a key is not a text; put it in quotes");
                    };
                    let inside = step(pointer, name);
                    self.lines.insert(inside.clone(), key.span.start.line());
                    if name == "<<" {
                        return fault(&inside, "merge keys are not supported; repeat the keys");
                    }
                    map.insert(name.to_string(), self.convert(item, &inside)?);
                }
                Value::Object(map)
            }
            _ => return fault(pointer, "tags are not supported"),
        })
    }

    fn document(&self) -> Result<(), Fault> {
        if !self.value.is_object() {
            return fault("", "the document is not a mapping");
        }
        if self.value["openapi"] != "3.0.3" {
            return fault("/openapi", "`openapi` must be 3.0.3");
        }
        if self.value["paths"]
            .as_object()
            .is_none_or(serde_json::Map::is_empty)
        {
            return fault("/paths", "there are no paths");
        }
        self.walk("", &self.value, Part::Root)?;
        self.names()?;
        self.responses()
    }

    /// Returns the kind of the object under `key` in an object of the kind `part`. If the `bool` is true, there is a
    /// list or map under `key`, and each of its values is an object of this kind. For example, `paths` contains a map
    /// of path items.
    fn inside(part: Part, key: &str) -> (Part, bool) {
        match (part, key) {
            (Part::Root, "paths") => (Part::PathItem, true),
            (Part::Root, "components") => (Part::Components, false),
            (Part::PathItem, "parameters") | (Part::Operation, "parameters") => {
                (Part::Parameter, true)
            }
            (Part::PathItem, key) if METHODS.contains(&key) => (Part::Operation, false),
            (Part::Operation, "requestBody") => (Part::Body, false),
            (Part::Operation, "responses") | (Part::Components, "responses") => {
                (Part::Response, true)
            }
            (Part::Components, "parameters") => (Part::Parameter, true),
            (Part::Components, "requestBodies") => (Part::Body, true),
            (Part::Components, "schemas")
            | (Part::Schema, "properties" | "allOf" | "anyOf" | "oneOf") => (Part::Schema, true),
            (Part::Body | Part::Response, "content") => (Part::Media, true),
            (Part::Media | Part::Parameter, "schema") | (Part::Schema, "items") => {
                (Part::Schema, false)
            }
            (Part::Schema, "additionalProperties") => (Part::Schema, false),
            _ => (Part::Other, false),
        }
    }

    fn walk(&self, pointer: &str, value: &Value, part: Part) -> Result<(), Fault> {
        if part == Part::Other {
            return Ok(());
        }
        let Some(map) = value.as_object() else {
            let free = pointer.ends_with("/additionalProperties") && value.is_boolean();
            return if free {
                Ok(())
            } else {
                fault(pointer, "a mapping is needed")
            };
        };
        if let Some(target) = map.get("$ref") {
            return self.reference(pointer, target, part, map.len());
        }
        for (key, value) in map {
            let inside = step(pointer, key);
            let known = part.keys().split_whitespace().any(|k| k == key);
            if !known {
                return fault(
                    &inside,
                    format!("`{key}` is not known here, so it would be ignored"),
                );
            }
            if part.is_boolean(key) && !value.is_boolean() {
                return fault(
                    &inside,
                    format!("`{key}` must be true or false, without quotes"),
                );
            }
            let (part, many) = Self::inside(part, key);
            if !many {
                self.walk(&inside, value, part)?;
                continue;
            }
            match value {
                Value::Object(map) => {
                    map.iter()
                        .try_for_each(|(k, v)| self.walk(&step(&inside, k), v, part))?;
                }
                Value::Array(list) => {
                    list.iter()
                        .enumerate()
                        .try_for_each(|(i, v)| self.walk(&format!("{inside}/{i}"), v, part))?;
                }
                _ => return fault(&inside, "a mapping or a list is needed"),
            }
        }
        match part {
            Part::PathItem => self.path(pointer, value),
            Part::Operation => self.operation(pointer, value),
            Part::Parameter => Self::parameter(pointer, value),
            Part::Body | Part::Response => Self::content(pointer, value),
            Part::Schema => schema::check(pointer, value),
            _ => Ok(()),
        }
    }

    /// Checks a reference in the place of an object of the kind `part`.
    fn reference(
        &self,
        pointer: &str,
        target: &Value,
        part: Part,
        keys: usize,
    ) -> Result<(), Fault> {
        if keys > 1 {
            return fault(pointer, "keys beside `$ref` would be ignored; use allOf");
        }
        let Some(target) = target.as_str() else {
            let why = "`$ref` must be a text in quotes, because YAML reads `#` as a comment";
            return fault(pointer, why);
        };
        let Some(section) = part.section() else {
            return fault(pointer, "a reference is not supported here");
        };
        let section = format!("#/components/{section}/");
        let mut seen = Vec::new();
        let mut target = target.to_owned();
        loop {
            if target
                .strip_prefix(&section)
                .is_none_or(|name| name.contains('/'))
            {
                let why = format!("the reference {target} must lead to {section}NAME");
                return fault(pointer, why);
            }
            let Some(found) = self.value.pointer(&target[1..]) else {
                return fault(pointer, format!("the reference {target} leads to nothing"));
            };
            if seen.contains(&target) {
                return fault(pointer, format!("the reference {target} leads to itself"));
            }
            seen.push(std::mem::take(&mut target));
            match found["$ref"].as_str() {
                Some(next) => target = next.to_owned(),
                None => return Ok(()),
            }
        }
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let target = value["$ref"].as_str().and_then(|t| t.strip_prefix('#'));
        target.and_then(|t| self.value.pointer(t)).unwrap_or(value)
    }

    fn path(&self, pointer: &str, item: &Value) -> Result<(), Fault> {
        let path = pointer
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .replace("~1", "/");
        if !path.starts_with('/') {
            return fault(pointer, "the path does not start with a slash");
        }
        if !METHODS.iter().any(|m| item.get(m).is_some()) {
            return fault(pointer, "the path has no operation");
        }
        let own = path
            .split('/')
            .filter_map(|p| p.strip_prefix('{')?.strip_suffix('}'));
        let own: Vec<&str> = own.collect();
        for method in METHODS.iter().filter(|m| item.get(m).is_some()) {
            let lists = [&item["parameters"], &item[*method]["parameters"]];
            let mut named = Vec::new();
            for list in lists {
                let resolved: Vec<&Value> = list
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|p| self.resolve(p))
                    .collect();
                let key = |p: &&Value| format!("{} {}", p["in"], p["name"]);
                for (i, parameter) in resolved.iter().enumerate() {
                    if resolved[..i].iter().any(|p| key(p) == key(parameter)) {
                        return fault(
                            pointer,
                            format!("the parameter {} is a duplicate", parameter["name"]),
                        );
                    }
                }
                named.extend(resolved);
            }
            let declared = named
                .iter()
                .filter(|p| p["in"] == "path")
                .filter_map(|p| p["name"].as_str());
            let declared: Vec<&str> = declared.collect();
            if let Some(name) = own.iter().find(|n| !declared.contains(n)) {
                return fault(
                    &step(pointer, method),
                    format!("the path's `{name}` is not a parameter"),
                );
            }
            if let Some(name) = declared.iter().find(|n| !own.contains(n)) {
                return fault(
                    &step(pointer, method),
                    format!("the parameter `{name}` is not in the path"),
                );
            }
            unique(
                &step(pointer, method),
                "parameter",
                named.iter().filter_map(|p| p["name"].as_str()),
            )?;
        }
        Ok(())
    }

    fn operation(&self, pointer: &str, operation: &Value) -> Result<(), Fault> {
        if operation["operationId"].as_str().is_none_or(str::is_empty) {
            return fault(pointer, "the operation has no operationId");
        }
        if operation.get("requestBody").is_some() && pointer.ends_with("/get") {
            return fault(pointer, "a GET has no request body");
        }
        let Some(responses) = operation["responses"].as_object() else {
            return fault(pointer, "the operation has no responses");
        };
        let is_status = |s: &str| {
            s.len() == 3
                && s.starts_with(['1', '2', '3', '4', '5'])
                && (s.ends_with("XX") || s.chars().all(|c| c.is_ascii_digit()))
        };
        if let Some(status) = responses.keys().find(|s| !is_status(s) && *s != "default") {
            return fault(
                &step(&step(pointer, "responses"), status),
                format!("`{status}` is not a status"),
            );
        }
        let success: Vec<&String> = responses.keys().filter(|s| s.starts_with('2')).collect();
        if success.len() != 1 {
            return fault(
                &step(pointer, "responses"),
                "exactly one success is needed, such as 2XX",
            );
        }
        let body = self.resolve(&responses[success[0]]);
        if body["content"]["application/json"]["schema"].is_null() {
            return fault(
                &step(pointer, "responses"),
                "the success has no JSON schema",
            );
        }
        Ok(())
    }

    fn parameter(pointer: &str, parameter: &Value) -> Result<(), Fault> {
        let place = parameter["in"].as_str().unwrap_or_default();
        if !["path", "query", "header"].contains(&place) || parameter["name"].as_str().is_none() {
            return fault(
                pointer,
                "a parameter needs a name, and `in` must be path, query or header",
            );
        }
        if place == "path" && parameter["required"] != true {
            return fault(pointer, "a parameter of the path must be required");
        }
        if parameter.get("schema").is_none() {
            return fault(pointer, "a parameter needs a schema");
        }
        if parameter["explode"] == false
            || parameter
                .get("style")
                .is_some_and(|s| s != "form" && s != "simple")
        {
            return fault(pointer, "only the usual style of a parameter is supported");
        }
        Ok(())
    }

    fn content(pointer: &str, body: &Value) -> Result<(), Fault> {
        let media = body["content"]
            .as_object()
            .into_iter()
            .flat_map(|c| c.keys());
        match media.into_iter().find(|m| *m != "application/json") {
            Some(other) => fault(
                pointer,
                format!("only application/json is supported, not {other}"),
            ),
            None => Ok(()),
        }
    }

    /// Checks that paths, operation ids and the names of components of one kind are unique in the OpenAPI document.
    /// Also checks that the security schemes in the top-level `security` exist.
    fn names(&self) -> Result<(), Fault> {
        let paths = self.value["paths"].as_object().into_iter().flatten();
        let mut ids = Vec::new();
        let mut templates: HashMap<String, &String> = HashMap::new();
        for (path, item) in paths {
            let shape = path
                .split('/')
                .map(|p| if p.starts_with('{') { "{}" } else { p });
            let shape = shape.collect::<Vec<_>>().join("/");
            if let Some(other) = templates.insert(shape, path) {
                return fault(
                    &step("/paths", path),
                    format!("the path is the same as {other}"),
                );
            }
            ids.extend(
                METHODS
                    .iter()
                    .filter_map(|m| item[*m]["operationId"].as_str()),
            );
        }
        unique("/paths", "operationId", ids.into_iter())?;
        let components = self.value["components"].as_object().into_iter().flatten();
        for (kind, parts) in components {
            let names = parts.as_object().into_iter().flat_map(|p| p.keys());
            unique(
                &step("/components", kind),
                "component",
                names.map(String::as_str),
            )?;
        }
        let schemas = &self.value["components"]["schemas"];
        if let Some(name) = TEXT_TYPES.iter().find(|name| schemas.get(**name).is_some()) {
            let why =
                format!("the name `{name}` is used by `xtask/src/codegen/lower.rs`; use another");
            return fault(&step("/components/schemas", name), why);
        }
        let schemes = &self.value["components"]["securitySchemes"];
        for (index, security) in self.value["security"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            for name in security.as_object().into_iter().flat_map(|s| s.keys()) {
                if schemes.get(name).is_none() {
                    return fault(
                        &format!("/security/{index}"),
                        format!("there is no security scheme `{name}`"),
                    );
                }
            }
        }
        Ok(())
    }
}
