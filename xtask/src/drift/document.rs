//! The OpenAPI document with its lines: operations, references, responses.

use serde_json::Value;

use super::marked::{Marked, step};

/// Where the document lies in the repository.
pub const FILE: &str = "openapi/blocks.yaml";

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The OpenAPI document.
#[derive(Clone, Debug)]
pub struct Document(pub Marked);

/// An operation of the document.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its `operationId`.
    pub id: String,
    /// The method, in capitals.
    pub method: String,
    /// The path template.
    pub path: String,
    /// Where it stands.
    pub pointer: String,
}

impl Document {
    /// Reads the document from its text.
    ///
    /// # Errors
    /// It is not YAML, or a reference leads nowhere.
    pub fn parse(file: &str, text: &str) -> Result<Self, String> {
        let document = Self(Marked::parse(file, text)?);
        let mut dangling = Vec::new();
        references(&document.0.value, &mut |target| {
            if document.get(&target[1..]).is_none() {
                dangling.push(target.to_owned());
            }
        });
        match dangling.first() {
            None => Ok(document),
            Some(target) => Err(format!("{file}: {target} leads nowhere")),
        }
    }

    /// The value at a pointer, references followed.
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        self.0.value.pointer(&self.resolve(pointer))
    }

    /// The pointer behind the references at a pointer.
    pub fn resolve(&self, pointer: &str) -> String {
        let mut here = pointer.to_owned();
        // A chain of references is short; the bound ends a circle.
        for _ in 0..16 {
            let target = self.0.value.pointer(&here).and_then(|v| v.get("$ref"));
            match target.and_then(Value::as_str) {
                Some(target) => here = target.trim_start_matches('#').to_owned(),
                None => break,
            }
        }
        here
    }

    /// All operations.
    pub fn operations(&self) -> Vec<Operation> {
        let paths = self.0.value["paths"].as_object();
        paths
            .into_iter()
            .flatten()
            .flat_map(|(path, item)| {
                METHODS.iter().filter_map(move |method| {
                    let id = item.get(method)?.get("operationId")?.as_str()?;
                    Some(Operation {
                        id: id.to_owned(),
                        method: method.to_uppercase(),
                        path: path.clone(),
                        pointer: format!("/paths/{}/{method}", step(path)),
                    })
                })
            })
            .collect()
    }

    /// Whether there is an operation or a schema of this name.
    pub fn names(&self, name: &str) -> bool {
        let schema = format!("/components/schemas/{}", step(name));
        self.operations().iter().any(|o| o.id == name) || self.get(&schema).is_some()
    }

    /// The operation of a method and a path template, whatever its parameters are called.
    pub fn operation(&self, method: &str, path: &str) -> Option<Operation> {
        let wanted = template(path);
        self.operations()
            .into_iter()
            .find(|o| o.method == method && template(&o.path) == wanted)
    }

    /// The operation that a request's path belongs to.
    pub fn operation_of_request(&self, method: &str, path: &str) -> Option<Operation> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        self.operations().into_iter().find(|o| {
            let template: Vec<&str> = o.path.trim_matches('/').split('/').collect();
            o.method == method
                && template.len() == parts.len()
                && template
                    .iter()
                    .zip(&parts)
                    .all(|(t, p)| t.starts_with('{') || t == p)
        })
    }

    /// The schema of an operation's request body.
    pub fn request_schema(&self, operation: &Operation) -> Option<String> {
        self.schema_in(&format!("{}/requestBody", operation.pointer))
    }

    /// The schema of an operation's answer with a status, and the place of that answer.
    pub fn response(&self, operation: &Operation, status: u16) -> Option<(String, Option<String>)> {
        let responses = format!("{}/responses", operation.pointer);
        let exact = format!("{responses}/{status}");
        let range = format!("{responses}/{}XX", status / 100);
        let pointer = [exact, range].into_iter().find(|p| self.get(p).is_some())?;
        let schema = self.schema_in(&pointer);
        Some((pointer, schema))
    }

    /// The error statuses of an operation, with their codes.
    pub fn errors(&self, operation: &Operation) -> Vec<(u16, Vec<String>, String)> {
        let responses = format!("{}/responses", operation.pointer);
        let Some(map) = self.get(&responses).and_then(Value::as_object) else {
            return Vec::new();
        };
        map.keys()
            .filter_map(|name| {
                let status: u16 = name.parse().ok().filter(|s| *s >= 400)?;
                let pointer = format!("{responses}/{name}");
                let codes = self.get(&pointer)?.get("x-error-codes");
                let codes = codes.and_then(Value::as_array).into_iter().flatten();
                let codes = codes.filter_map(|c| c.as_str().map(str::to_owned));
                Some((status, codes.collect(), pointer))
            })
            .collect()
    }

    /// The parameters of an operation that stand in `place` (`query` or `path`), by name.
    pub fn parameters(&self, operation: &Operation, place: &str) -> Vec<(String, String)> {
        let item = operation.pointer.rsplit_once('/').map_or("", |(p, _)| p);
        let mut found = Vec::new();
        for list in [
            format!("{item}/parameters"),
            format!("{}/parameters", operation.pointer),
        ] {
            let count = self
                .get(&list)
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            for index in 0..count {
                let pointer = self.resolve(&format!("{list}/{index}"));
                let Some(parameter) = self.0.value.pointer(&pointer) else {
                    continue;
                };
                if parameter["in"] == place
                    && let Some(name) = parameter["name"].as_str()
                {
                    found.push((name.to_owned(), pointer));
                }
            }
        }
        found
    }

    fn schema_in(&self, pointer: &str) -> Option<String> {
        let home = self.resolve(pointer);
        let schema = format!("{home}/content/application~1json/schema");
        self.0.value.pointer(&schema).map(|_| schema)
    }
}

/// A path template with its parameters' names left out.
fn template(path: &str) -> Vec<String> {
    path.trim_matches('/')
        .split('/')
        .map(|part| {
            if part.starts_with(['{', ':', '<']) {
                "{}".to_owned()
            } else {
                part.to_owned()
            }
        })
        .collect()
}

fn references(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(map) => {
            if let Some(target) = map.get("$ref").and_then(Value::as_str) {
                found(target);
            }
            map.values().for_each(|v| references(v, found));
        }
        Value::Array(items) => items.iter().for_each(|v| references(v, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
paths:
  /a/{id}:
    get:
      operationId: readA
      responses:
        2XX: { content: { application/json: { schema: { type: object } } } }
        '404': { $ref: '#/components/responses/Gone' }
components:
  responses:
    Gone: { x-error-codes: [GONE] }
";

    #[test]
    fn operations_are_found_by_template_and_by_request() {
        let document = Document::parse("t", TEXT).unwrap();
        for path in ["/a/{other}", "/a/:id"] {
            assert_eq!(document.operation("GET", path).unwrap().id, "readA");
        }
        assert!(document.operation("POST", "/a/{id}").is_none());
        let operation = document.operation_of_request("GET", "/a/7").unwrap();
        assert!(document.operation_of_request("GET", "/a/7/b").is_none());
        assert!(document.response(&operation, 201).unwrap().1.is_some());
        let errors = document.errors(&operation);
        assert_eq!(
            (errors[0].0, errors[0].1.as_slice()),
            (404, &["GONE".to_owned()][..])
        );
    }

    #[test]
    fn a_dangling_reference_is_an_error() {
        let text = TEXT.replace("responses/Gone'", "responses/None'");
        let error = Document::parse("t", &text).unwrap_err();
        assert!(error.contains("#/components/responses/None"), "{error}");
    }
}
