//! Removes the builders of the data types from the generated code, because no caller needs them.
//!
//! The operations keep their builders. Their method `body`, which sets the request body, then takes the data type
//! itself instead of the builder of the data type.

use syn::visit_mut::{self, VisitMut};

/// Removes the builders of the data types from `file`.
pub fn reduce(file: &mut syn::File) {
    for item in &mut file.items {
        if let syn::Item::Mod(module) = item
            && module.ident == "types"
            && let Some((_, items)) = &mut module.content
        {
            items.retain(|item| !is_builder(item));
        }
    }
    PlainBodies.visit_file_mut(file);
}

/// Returns whether an item belongs to the builders of the data types. These items are the modules `builder` and
/// `error`, and each `impl` that contains only the function `builder`.
fn is_builder(item: &syn::Item) -> bool {
    match item {
        syn::Item::Mod(module) => module.ident == "builder" || module.ident == "error",
        syn::Item::Impl(block) => {
            block.trait_.is_none() && block.items.iter().all(|item| is_function(item, "builder"))
        }
        _ => false,
    }
}

fn is_function(item: &syn::ImplItem, name: &str) -> bool {
    matches!(item, syn::ImplItem::Fn(function) if function.sig.ident == name)
}

struct PlainBodies;

impl VisitMut for PlainBodies {
    fn visit_item_impl_mut(&mut self, block: &mut syn::ItemImpl) {
        block.items.retain(|item| !is_function(item, "body_map"));
        visit_mut::visit_item_impl_mut(self, block);
    }

    /// Replaces `types::builder::T` with `types::T`.
    fn visit_path_mut(&mut self, path: &mut syn::Path) {
        let names = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string());
        if names
            .collect::<Vec<_>>()
            .starts_with(&["types".into(), "builder".into()])
        {
            let kept = path.segments.iter().enumerate().filter(|(at, _)| *at != 1);
            path.segments = kept.map(|(_, segment)| segment.clone()).collect();
        }
        visit_mut::visit_path_mut(self, path);
    }

    /// Makes the field `body` of an operation's builder an error until the caller sets it, because a request body has
    /// no default.
    fn visit_field_value_mut(&mut self, field: &mut syn::FieldValue) {
        let is_body = matches!(&field.member, syn::Member::Named(name) if name == "body");
        if is_body && field.colon_token.is_some() {
            field.expr = syn::parse_quote!(Err("body was not set".to_string()));
        }
        visit_mut::visit_field_value_mut(self, field);
    }
}
