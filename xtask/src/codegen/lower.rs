//! Lowers the OpenAPI document: changes it to what the generator progenitor accepts, and makes most fields of responses
//! optional. The steps change only the parsed document, not the file, because the file states the service's contract.

use serde_json::{Value, json};

/// Applies every step of lowering, in order.
pub fn lower(document: &mut Value) {
    drop_error_responses(document);
    add_text_types(document);
    visit(document, &mut flatten_alternatives);
    visit(document, &mut name_text_types);
    visit(document, &mut join_nullable_references);
    visit(document, &mut close_open_enums);
    let objects = object_schemas(document);
    visit(document, &mut |schema: &mut Value| {
        make_responses_tolerant(schema, &objects)
    });
    visit(document, &mut drop_defaults);
    visit(document, &mut drop_length_limits);
    visit(document, &mut name_unknown_fields);
}

/// Removes all responses except the successful ones, so that the generated client has no typed errors. With typed
/// errors, the client would lose the status of an error response if the body cannot be decoded. Without typed errors,
/// the client returns the whole response.
fn drop_error_responses(document: &mut Value) {
    let Some(paths) = document["paths"].as_object_mut() else {
        return;
    };
    for operation in paths
        .values_mut()
        .filter_map(Value::as_object_mut)
        .flat_map(|p| p.values_mut())
    {
        if let Some(responses) = operation
            .get_mut("responses")
            .and_then(Value::as_object_mut)
        {
            responses.retain(|status, _| status.starts_with('2'));
        }
    }
}

/// The names of the schemas that [`add_text_types`] adds. A schema of the OpenAPI document cannot have these names.
pub(super) const TEXT_TYPES: [&str; 2] = ["Id", "Timestamp"];

/// Adds the schemas `Id` and `Timestamp`. The generated code uses the types of these names in `blocks_api::open`.
fn add_text_types(document: &mut Value) {
    if let Some(schemas) = document
        .pointer_mut("/components/schemas")
        .and_then(Value::as_object_mut)
    {
        for name in TEXT_TYPES {
            schemas.insert(name.to_owned(), json!({"type": "string"}));
        }
    }
}

/// Removes a `oneOf` beside `properties`. Such a `oneOf` states the rule that a request names the agent by exactly one
/// field. typify would turn the `oneOf` into an enum of structs. `blocks-sdk` enforces the rule with a separate type.
fn flatten_alternatives(schema: &mut Value) {
    if let Some(map) = schema.as_object_mut()
        && map.contains_key("properties")
    {
        map.remove("oneOf");
    }
}

/// Turns ids and times into `Id` and `Timestamp`. If the format stayed in the schema, the generated code could not
/// parse a value in another format.
fn name_text_types(schema: &mut Value) {
    let format = ["format", "x-usual-format"]
        .iter()
        .find_map(|key| schema[*key].as_str());
    let name = match format.filter(|_| schema["type"] == "string") {
        Some("uuid") => "Id",
        Some("date-time") => "Timestamp",
        _ => return,
    };
    let mut named = json!({"allOf": [{"$ref": format!("#/components/schemas/{name}")}]});
    for key in ["description", "nullable"] {
        if let Some(value) = schema.get(key) {
            named[key] = value.clone();
        }
    }
    if named.get("nullable").is_some() {
        named["type"] = json!("string");
    }
    *schema = named;
}

/// Turns `anyOf: [reference, null object]` into `nullable` beside `allOf`. progenitor needs the second form. The
/// OpenAPI document contains the first form, because all validators interpret it identically.
fn join_nullable_references(schema: &mut Value) {
    let Some([reference, null]) = schema["anyOf"].as_array().map(Vec::as_slice) else {
        return;
    };
    if reference["$ref"].is_string() && null["maxProperties"] == 0 && null["nullable"] == true {
        *schema = json!({
            "type": "object", "nullable": true,
            "description": schema["description"], "allOf": [reference],
        });
    }
}

/// Returns the references to the component schemas that are objects.
fn object_schemas(document: &Value) -> Vec<String> {
    let schemas = document["components"]["schemas"].as_object();
    let objects = schemas
        .into_iter()
        .flatten()
        .filter(|(_, schema)| schema["type"] == "object");
    objects
        .map(|(name, _)| format!("#/components/schemas/{name}"))
        .collect()
}

/// Makes every property of a response optional, unless the schema's `x-needed` lists the property. A client cannot
/// continue without the listed properties, for example a session's `id`.
fn make_responses_tolerant(schema: &mut Value, objects: &[String]) {
    if schema["additionalProperties"] != true {
        return;
    }
    let needed = schema.get("x-needed").cloned().unwrap_or(json!([]));
    let Some(properties) = schema["properties"].as_object_mut() else {
        return;
    };
    for (name, property) in properties.iter_mut() {
        let is_needed = needed.as_array().is_some_and(|n| n.contains(&json!(name)));
        if !is_needed {
            make_nullable(property, objects);
        }
    }
    schema["required"] = needed;
}

/// Makes a property nullable. progenitor needs a `type` beside `allOf`, and it must be the type of the reference's
/// target: see [`object_schemas`].
fn make_nullable(property: &mut Value, objects: &[String]) {
    if let Some(reference) = property.get("$ref") {
        *property = json!({"allOf": [{"$ref": reference}]});
    }
    if let Some(map) = property.as_object_mut()
        && (map.contains_key("type") || map.contains_key("allOf"))
    {
        let target = map.get("allOf").and_then(|all| all[0]["$ref"].as_str());
        let is_object = target.is_some_and(|target| objects.iter().any(|object| object == target));
        let kind = if is_object { "object" } else { "string" };
        map.entry("type").or_insert(json!(kind));
        map.insert("nullable".to_owned(), json!(true));
    }
}

/// Turns `anyOf: [enum, string]` into the enum alone, and also allows null. The code that typify generates for this
/// `anyOf` cannot decode any value. In the generated code, a hand-written type that accepts any string is used instead
/// of the enum.
fn close_open_enums(schema: &mut Value) {
    let Some([known, open]) = schema["anyOf"].as_array().map(Vec::as_slice) else {
        return;
    };
    if known["$ref"].is_string() && open["type"] == "string" {
        *schema = json!({
            "type": "string", "nullable": true,
            "description": schema["description"], "allOf": [known],
        });
    }
}

/// Removes the defaults of schemas that have a `type`. With a default, the generated code would always send the default
/// value. This is not necessary, because the server uses its default if a request does not contain the value.
fn drop_defaults(schema: &mut Value) {
    if let Some(map) = schema.as_object_mut()
        && map.contains_key("type")
    {
        map.remove("default");
    }
}

/// Removes limits of length. typify would generate a newtype for each string with a limit. `blocks-sdk` checks the
/// lengths instead.
fn drop_length_limits(schema: &mut Value) {
    if let Some(map) = schema.as_object_mut()
        && map.get("type").is_some_and(|t| t == "string")
    {
        map.remove("minLength");
        map.remove("maxLength");
    }
}

/// Replaces `additionalProperties: true` with an empty schema in schemas that have `properties`. typify ignores
/// `true`. For an empty schema, typify generates a flattened map `extra`, which keeps unknown fields.
fn name_unknown_fields(schema: &mut Value) {
    if schema["properties"].is_object() && schema["additionalProperties"] == true {
        schema["additionalProperties"] = json!({});
    }
}

/// The keys of maps from a name to a schema or another part of the document.
const MAPS: [&str; 4] = ["properties", "schemas", "parameters", "responses"];

/// Calls `step` for every object in `value`, except the maps of [`MAPS`] and examples. The names in such a map can be
/// the keywords of a schema: with a field named `type`, the map of fields would be taken for a schema, and a field named
/// `default` would be removed.
fn visit(value: &mut Value, step: &mut impl FnMut(&mut Value)) {
    if value.is_object() {
        step(value);
    }
    match value {
        Value::Object(map) => {
            for (key, part) in map.iter_mut().filter(|(key, _)| *key != "example") {
                match part {
                    Value::Object(named) if MAPS.contains(&key.as_str()) => {
                        named.values_mut().for_each(|v| visit(v, step));
                    }
                    _ => visit(part, step),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|v| visit(v, step)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_responses_go_and_successes_stay() {
        let mut doc =
            json!({"paths": {"/a": {"get": {"responses": {"2XX": 1, "4XX": 2, "default": 3}}}}});
        drop_error_responses(&mut doc);
        assert_eq!(doc["paths"]["/a"]["get"]["responses"], json!({"2XX": 1}));
    }

    #[test]
    fn alternatives_beside_properties_are_removed() {
        let mut rule = json!({"properties": {}, "oneOf": [{"required": ["a"]}]});
        flatten_alternatives(&mut rule);
        assert_eq!(rule, json!({"properties": {}}));
        let union = json!({"oneOf": [{"type": "string"}]});
        let mut same = union.clone();
        flatten_alternatives(&mut same);
        assert_eq!(same, union);
    }

    #[test]
    fn ids_and_times_become_types_of_their_own() {
        let mut id = json!({"type": "string", "x-usual-format": "uuid", "nullable": true, "description": "d"});
        name_text_types(&mut id);
        let expected = json!({
            "type": "string", "nullable": true, "description": "d",
            "allOf": [{"$ref": "#/components/schemas/Id"}],
        });
        assert_eq!(id, expected);
        let mut time = json!({"type": "string", "format": "date-time"});
        name_text_types(&mut time);
        assert_eq!(
            time,
            json!({"allOf": [{"$ref": "#/components/schemas/Timestamp"}]})
        );
    }

    #[test]
    fn a_null_object_beside_a_reference_becomes_nullable() {
        let mut link = json!({"description": "d", "anyOf": [
            {"$ref": "#/x"}, {"type": "object", "nullable": true, "maxProperties": 0},
        ]});
        join_nullable_references(&mut link);
        let expected = json!({
            "type": "object", "nullable": true, "description": "d", "allOf": [{"$ref": "#/x"}],
        });
        assert_eq!(link, expected);
    }

    #[test]
    fn only_needed_properties_of_responses_are_required() {
        let mut response = json!({
            "additionalProperties": true, "required": ["a", "b"], "x-needed": ["a"],
            "properties": {"a": {"type": "string"}, "b": {"type": "array"}, "c": {"$ref": "#/x"}},
        });
        make_responses_tolerant(&mut response, &[]);
        assert_eq!(response["required"], json!(["a"]));
        assert_eq!(response["properties"]["a"], json!({"type": "string"}));
        assert_eq!(response["properties"]["b"]["nullable"], true);
        assert_eq!(
            response["properties"]["c"]["allOf"],
            json!([{"$ref": "#/x"}])
        );
        let request = json!({"required": ["a"], "properties": {"a": {"type": "string"}}});
        let mut same = request.clone();
        make_responses_tolerant(&mut same, &[]);
        assert_eq!(same, request);
    }

    #[test]
    fn a_reference_gets_the_type_of_its_target() {
        let document = json!({"components": {"schemas": {
            "User": {"type": "object"}, "Url": {"type": "string"},
        }}});
        let mut response = json!({"additionalProperties": true, "properties": {
            "user": {"$ref": "#/components/schemas/User"},
            "url": {"$ref": "#/components/schemas/Url"},
        }});
        make_responses_tolerant(&mut response, &object_schemas(&document));
        assert_eq!(response["properties"]["user"]["type"], "object");
        assert_eq!(response["properties"]["url"]["type"], "string");
    }

    #[test]
    fn fields_with_the_names_of_keywords_are_kept() {
        let fields = json!({
            "type": {"type": "string"}, "default": {"type": "boolean"}, "minLength": {"type": "string"},
            "additionalProperties": {"type": "string"}, "properties": {"type": "string"},
        });
        let mut document = json!({"components": {"schemas": {"Thing": {"properties": fields}}}});
        let expected = document.clone();
        lower(&mut document);
        let thing = |document: &Value| document["components"]["schemas"]["Thing"].clone();
        assert_eq!(thing(&document), thing(&expected));
        let mut nested = json!({"properties": {"properties": {"type": "string", "default": "x"}}});
        visit(&mut nested, &mut drop_defaults);
        assert_eq!(
            nested,
            json!({"properties": {"properties": {"type": "string"}}})
        );
    }

    #[test]
    fn an_open_enum_becomes_its_known_part() {
        let mut open = json!({"description": "d", "anyOf": [{"$ref": "#/x"}, {"type": "string"}]});
        close_open_enums(&mut open);
        assert_eq!(open["allOf"], json!([{"$ref": "#/x"}]));
        assert_eq!(open["nullable"], true);
    }

    #[test]
    fn unknown_fields_are_kept_beside_known_ones_only() {
        let mut open = json!({"properties": {}, "additionalProperties": true});
        name_unknown_fields(&mut open);
        assert_eq!(open["additionalProperties"], json!({}));
        let mut free = json!({"type": "object", "additionalProperties": true});
        name_unknown_fields(&mut free);
        assert_eq!(free["additionalProperties"], true);
    }

    #[test]
    fn defaults_and_lengths_go_from_schemas_only() {
        let mut doc = json!({
            "example": {"default": 1},
            "schema": {"type": "string", "default": "x", "minLength": 1, "maxLength": 2},
        });
        visit(&mut doc, &mut drop_defaults);
        visit(&mut doc, &mut drop_length_limits);
        assert_eq!(
            doc,
            json!({"example": {"default": 1}, "schema": {"type": "string"}})
        );
    }
}
