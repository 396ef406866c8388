//! What progenitor cannot take is lowered here; the document itself stays honest.

use serde_json::{Value, json};

/// Applies every step, in order.
pub fn lower(document: &mut Value) {
    drop_error_responses(document);
    visit(document, &mut drop_required_alternatives);
    visit(document, &mut close_open_enums);
    visit(document, &mut drop_defaults);
    visit(document, &mut drop_length_limits);
    visit(document, &mut name_unknown_fields);
}

/// Typed errors lose the status of a body of another shape; without them every
/// non-2xx arrives whole as an unexpected response.
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

/// The agent rule stands beside `properties`, which typify would turn into an
/// enum of structs. The ergonomic crate enforces it with a type of its own.
fn drop_required_alternatives(schema: &mut Value) {
    if let Some(map) = schema.as_object_mut()
        && map.contains_key("properties")
    {
        map.remove("oneOf");
    }
}

/// `anyOf: [enum, string]` never decodes in generated code; the enum itself is
/// replaced by a hand-written open one.
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

/// A default makes a plain value that is always sent; the server has it already.
fn drop_defaults(schema: &mut Value) {
    if let Some(map) = schema.as_object_mut()
        && map.contains_key("type")
    {
        map.remove("default");
    }
}

/// A length limit makes a newtype of each string; the ergonomic crate validates instead.
fn drop_length_limits(schema: &mut Value) {
    if let Some(map) = schema.as_object_mut()
        && map.get("type").is_some_and(|t| t == "string")
    {
        map.remove("minLength");
        map.remove("maxLength");
    }
}

/// typify ignores `additionalProperties: true` beside `properties`; spelt as an
/// empty schema it becomes a flattened `extra` map, so that unknown fields are kept.
fn name_unknown_fields(schema: &mut Value) {
    if schema["properties"].is_object() && schema["additionalProperties"] == true {
        schema["additionalProperties"] = json!({});
    }
}

fn visit(value: &mut Value, step: &mut impl FnMut(&mut Value)) {
    if value.is_object() {
        step(value);
    }
    match value {
        Value::Object(map) => map.values_mut().for_each(|v| visit(v, step)),
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
    fn the_rule_beside_properties_goes_but_a_real_union_stays() {
        let mut rule = json!({"properties": {}, "oneOf": [{"required": ["a"]}]});
        drop_required_alternatives(&mut rule);
        assert_eq!(rule, json!({"properties": {}}));
        let union = json!({"oneOf": [{"type": "string"}]});
        let mut same = union.clone();
        drop_required_alternatives(&mut same);
        assert_eq!(same, union);
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
