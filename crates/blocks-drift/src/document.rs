//! Reads the OpenAPI document: its operations, parameters, responses and error codes, and the line of each value.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::spanned::{Spanned, step};

/// The path of the OpenAPI document in the repository.
pub const FILE: &str = "openapi/blocks.yaml";

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The OpenAPI document with the position of each of its values.
#[derive(Clone, Debug)]
pub struct Document(pub Spanned);

/// An operation of the OpenAPI document.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The operation's `operationId`.
    pub id: String,
    /// The HTTP method, in capitals.
    pub method: String,
    /// The path template, such as `/rest/v1/sessions/{session_id}`.
    pub path: String,
    /// The JSON pointer of the operation in the OpenAPI document.
    pub pointer: String,
}

impl Document {
    /// Parses the OpenAPI document.
    ///
    /// # Errors
    /// Fails if the text is not YAML or contains no `paths`, or if a path does not start with a slash. Also fails if a
    /// reference leads to nothing, or leads only to other references in a circle.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let document = Self(Spanned::parse(file, text)?);
        let mut dangling = Vec::new();
        references(&document.0.value, "", &mut |pointer, target| {
            let value = target.strip_prefix('#').and_then(|t| document.get(t));
            if value.is_none_or(|v| v.get("$ref").is_some()) {
                dangling.push((pointer.to_owned(), target.to_owned()));
            }
        });
        if let Some((pointer, target)) = dangling.first() {
            let line = document.0.position(pointer).line;
            bail!("{file}:{line}: the reference {target} leads to nothing, or in a circle");
        }
        let paths = document.0.value["paths"].as_object();
        if paths.is_none() {
            bail!("{file}: it contains no `paths`");
        }
        let mut names = paths.into_iter().flat_map(|p| p.keys());
        if let Some(path) = names.find(|p| !p.starts_with('/')) {
            let line = document.0.position(&format!("/paths/{}", step(path))).line;
            bail!("{file}:{line}: the path {path} does not start with a slash");
        }
        Ok(document)
    }

    /// Returns the line of the value at a pointer, or of the nearest parent that exists.
    pub fn line(&self, pointer: &str) -> usize {
        self.0.position(pointer).line
    }

    /// Returns the value at a pointer. If the value is a reference, returns the value that the reference leads to.
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        self.0.value.pointer(&self.resolve(pointer))
    }

    /// Returns the pointer that a reference at `pointer` leads to, or `pointer` itself if there is no reference.
    pub fn resolve(&self, pointer: &str) -> String {
        let mut here = pointer.to_owned();
        // A reference may lead to another reference. The limit of 16 steps ends the loop if references form a cycle.
        for _ in 0..16 {
            let target = self.0.value.pointer(&here).and_then(|v| v.get("$ref"));
            match target.and_then(Value::as_str) {
                Some(target) => here = target.trim_start_matches('#').to_owned(),
                None => break,
            }
        }
        here
    }

    /// Returns the operations of the OpenAPI document that have an `operationId` and the method GET, POST, PUT, PATCH
    /// or DELETE.
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

    /// Returns whether the OpenAPI document has an operation or a schema of this name.
    pub fn names(&self, name: &str) -> bool {
        let schema = format!("/components/schemas/{}", step(name));
        self.operations().iter().any(|o| o.id == name) || self.get(&schema).is_some()
    }

    /// Finds the operation with this method and path template. The path parameters may have other names in the OpenAPI
    /// document.
    pub fn operation(&self, method: &str, path: &str) -> Option<Operation> {
        let wanted = template(path);
        self.operations().into_iter().find(|o| o.method == method && template(&o.path) == wanted)
    }

    /// Finds the operation that handles a request with this method and path.
    pub fn operation_of_request(&self, method: &str, path: &str) -> Option<Operation> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        self.operations().into_iter().find(|o| {
            let template: Vec<&str> = o.path.trim_matches('/').split('/').collect();
            o.method == method
                && template.len() == parts.len()
                && template.iter().zip(&parts).all(|(t, p)| t.starts_with('{') || t == p)
        })
    }

    /// Returns the JSON pointer of the schema for an operation's request body.
    pub fn request_schema(&self, operation: &Operation) -> Option<String> {
        self.schema_in(&format!("{}/requestBody", operation.pointer))
    }

    /// Returns two JSON pointers: to the response for a status, and to the schema of this response. The response may be
    /// that of a range, such as `2XX`.
    pub fn response(&self, operation: &Operation, status: u16) -> Option<(String, Option<String>)> {
        let responses = format!("{}/responses", operation.pointer);
        let exact = format!("{responses}/{status}");
        let range = format!("{responses}/{}XX", status / 100);
        let pointer = [exact, range].into_iter().find(|p| self.get(p).is_some())?;
        let schema = self.schema_in(&pointer);
        Some((pointer, schema))
    }

    /// Returns the error statuses of an operation, each with its error codes and the pointer to its response. A range
    /// of statuses, such as `4XX`, is left out.
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

    /// Returns the names and pointers of an operation's parameters in `place` (`query`, `path` or `header`). If the
    /// path and the operation both define a parameter of the same name, the operation's parameter is returned.
    pub fn parameters(&self, operation: &Operation, place: &str) -> Vec<(String, String)> {
        let item = operation.pointer.rsplit_once('/').map_or("", |(p, _)| p);
        let mut found: Vec<(String, String)> = Vec::new();
        for owner in [item, &operation.pointer] {
            let list = format!("{owner}/parameters");
            let count = self.get(&list).and_then(Value::as_array).map_or(0, Vec::len);
            for index in 0..count {
                let pointer = self.resolve(&format!("{list}/{index}"));
                let parameter = self.0.value.pointer(&pointer);
                let name = parameter.filter(|p| p["in"] == place).and_then(|p| p["name"].as_str());
                if let Some(name) = name {
                    found.retain(|(known, _)| known != name);
                    found.push((name.to_owned(), pointer));
                }
            }
        }
        found
    }

    /// Returns the media types of the response at a pointer.
    pub fn media_types(&self, response: &str) -> Vec<String> {
        let content = self.get(response).and_then(|r| r["content"].as_object());
        content.into_iter().flat_map(|c| c.keys().cloned()).collect()
    }

    /// Returns the error codes of all operations.
    pub fn codes(&self) -> Vec<String> {
        let operations = self.operations();
        operations.iter().flat_map(|o| self.errors(o)).flat_map(|(_, codes, _)| codes).collect()
    }

    fn schema_in(&self, pointer: &str) -> Option<String> {
        let resolved = self.resolve(pointer);
        let schema = format!("{resolved}/content/application~1json/schema");
        self.0.value.pointer(&schema).map(|_| schema)
    }
}

/// Returns the names of the parameters in a path template, in order.
pub fn template_names(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|part| part.starts_with(['{', ':', '<']))
        .map(|part| part.trim_matches(['{', '}', ':', '<', '>']).to_owned())
        .collect()
}

/// Returns the segments of a path template, with `{}` for each parameter.
fn template(path: &str) -> Vec<String> {
    path.trim_matches('/')
        .split('/')
        .map(
            |part| {
                if part.starts_with(['{', ':', '<']) { "{}".to_owned() } else { part.to_owned() }
            },
        )
        .collect()
}

fn references(value: &Value, pointer: &str, found: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Object(map) => {
            if let Some(target) = map.get("$ref").and_then(Value::as_str) {
                found(pointer, target);
            }
            for (name, value) in map {
                references(value, &format!("{pointer}/{}", step(name)), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                references(value, &format!("{pointer}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
paths:
  /a/{id}:
    parameters: [{ name: q, in: query, schema: { type: string } }]
    get:
      operationId: readA
      parameters: [{ name: q, in: query, required: true, schema: { type: integer } }]
      responses:
        2XX: { content: { application/json: { schema: { type: object } } } }
        '404': { $ref: '#/components/responses/Gone' }
components:
  responses:
    Gone: { x-error-codes: [GONE] }
";

    #[test]
    fn operations_are_found_by_template_and_request() {
        let document = Document::parse("t", TEXT).unwrap();
        for path in ["/a/{other}", "/a/:id"] {
            assert_eq!(document.operation("GET", path).unwrap().id, "readA");
        }
        assert!(document.operation("POST", "/a/{id}").is_none());
        let operation = document.operation_of_request("GET", "/a/7").unwrap();
        assert!(document.operation_of_request("GET", "/a/7/b").is_none());
        assert!(document.response(&operation, 201).unwrap().1.is_some());
        let (status, codes, _) = document.errors(&operation).remove(0);
        assert_eq!((status, codes), (404, vec!["GONE".to_owned()]));
        let parameters = document.parameters(&operation, "query");
        assert_eq!(parameters.len(), 1, "the operation's own replaces the path's");
        assert!(parameters[0].1.contains("/get/"));
    }

    #[test]
    fn broken_documents_are_errors_with_their_line() {
        for (from, to, why) in [
            (
                "responses/Gone'",
                "responses/None'",
                "t:9: the reference #/components/responses/None",
            ),
            ("  /a/{id}:", "  a/{id}:", "t:2: the path a/{id}"),
            (
                "      operationId: readA\n",
                "      operationId: readA\n      operationId: b\n",
                "t:6:",
            ),
        ] {
            let error = Document::parse("t", &TEXT.replace(from, to)).unwrap_err().to_string();
            assert!(error.starts_with(why), "{error}");
        }
    }
}
