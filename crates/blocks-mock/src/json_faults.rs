//! Applies the faults that change a JSON response, for example a fault that removes fields or sets links to null.

use serde_json::{Value, json};

use crate::fault::Fault;

pub fn alter(response: &mut Value, fault: &Fault) {
    match fault {
        Fault::ForeignLinks(origin) => each_href(response, &mut |href| {
            let path = href.find("/rest/v1/").map(|at| href[at..].to_owned());
            *href = format!("{origin}{}", path.unwrap_or_default());
        }),
        Fault::NullLinks => each_object(response, &mut |object| {
            for name in ["thread_id", "chat_thread_id"] {
                if let Some(id) = object.get_mut(name) {
                    *id = Value::Null;
                }
            }
            // In a recorded body, `_links` can be any value.
            if let Some(Value::Object(links)) = object.get_mut("_links") {
                for name in ["thread", "final_message"] {
                    links.insert(name.into(), Value::Null);
                }
            }
        }),
        Fault::MissingFields(names) => each_object(response, &mut |object| {
            object.retain(|name, _| !names.contains(name));
        }),
        Fault::ReplaceField(name, value) => each_object(response, &mut |object| {
            object.insert(name.clone(), json!(value));
        }),
        _ => {}
    }
}

/// Calls `change` with the object of the response. If the response is a page, also calls `change` with each object in
/// its list `items`.
fn each_object(response: &mut Value, change: &mut dyn FnMut(&mut serde_json::Map<String, Value>)) {
    if let Some(items) = response.get_mut("items").and_then(Value::as_array_mut) {
        for item in items {
            each_object(item, change);
        }
    }
    if let Value::Object(object) = response {
        change(object);
    }
}

fn each_href(value: &mut Value, change: &mut dyn FnMut(&mut String)) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                match inner {
                    Value::String(href) if name == "href" => change(href),
                    inner => each_href(inner, change),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_href(item, change)),
        _ => {}
    }
}
