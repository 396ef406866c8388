//! Makes the generated response types tolerant: `blocks_api::decode` parses and serialises these types, instead of
//! serde's derive. For example, an optional field with an unexpected type is not an error.
//!
//! A response type is a type for which typify generates a flattened map `extra` of unknown fields. The type is
//! `#[non_exhaustive]`, because the service may add fields. This module adds such a map to request types too, so that a
//! caller can send new fields.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};

/// Rewrites the response types, the request types and every free-form map in `file`.
pub fn rewrite(file: &mut syn::File) {
    ExactMaps.visit_file_mut(file);
    for item in &mut file.items {
        if let syn::Item::Mod(module) = item
            && module.ident == "types"
            && let Some((_, items)) = &mut module.content
        {
            let rewritten = std::mem::take(items).into_iter().flat_map(rewrite_item);
            *items = rewritten.collect();
        }
    }
}

/// Returns the rewritten item, followed by its implementations if it is a response type.
fn rewrite_item(item: syn::Item) -> Vec<syn::Item> {
    let syn::Item::Struct(mut object) = item else {
        return vec![item];
    };
    if object.ident.to_string().ends_with("Request") {
        add_extra(&mut object);
        return vec![object.into()];
    }
    if !is_response(&object) {
        return vec![object.into()];
    }
    object.attrs.push(syn::parse_quote!(#[non_exhaustive]));
    remove_serde_derives(&mut object.attrs);
    if object.fields.iter().all(|field| has_default(&field.ty)) {
        object.attrs.push(syn::parse_quote!(#[derive(Default)]));
    }
    let (mut needed, mut optional) = (Vec::new(), Vec::new());
    for field in &mut object.fields {
        let Some(name) = field.ident.clone().filter(|name| name != "extra") else {
            for_schemas_only(&mut field.attrs);
            continue;
        };
        let json_name = renamed(&field.attrs).unwrap_or_else(|| name.to_string());
        for_schemas_only(&mut field.attrs);
        let fields = if is_option(&field.ty) {
            &mut optional
        } else {
            &mut needed
        };
        fields.push(quote! { #name: #json_name, });
    }
    let name = &object.ident;
    let call: syn::Item = syn::parse_quote! {
        crate::decode::tolerant_object! {
            #name { needed: { #(#needed)* } optional: { #(#optional)* } }
        }
    };
    vec![object.into(), call]
}

/// Adds a map to a request type, so that a request can carry fields that the OpenAPI document does not name.
fn add_extra(object: &mut syn::ItemStruct) {
    if let syn::Fields::Named(fields) = &mut object.fields {
        fields.named.push(syn::parse_quote! {
            /// Fields that are not in the OpenAPI document.
            #[serde(flatten, deserialize_with = "crate::json::flattened")]
            pub extra: crate::json::JsonObject
        });
    }
}

/// Returns whether a field of this type has a default value: `None`, an empty list or an empty map.
fn has_default(kind: &syn::Type) -> bool {
    let is = |name: &str| {
        matches!(kind, syn::Type::Path(path)
            if path.path.segments.last().is_some_and(|segment| segment.ident == name))
    };
    ["Option", "Vec", "BTreeMap", "JsonObject"]
        .into_iter()
        .any(is)
}

fn is_response(object: &syn::ItemStruct) -> bool {
    let mut fields = object.fields.iter();
    fields.any(|field| field.ident.as_ref().is_some_and(|name| name == "extra"))
}

fn is_option(kind: &syn::Type) -> bool {
    matches!(kind, syn::Type::Path(path)
        if path.path.segments.last().is_some_and(|segment| segment.ident == "Option"))
}

fn remove_serde_derives(attributes: &mut [syn::Attribute]) {
    for attribute in attributes
        .iter_mut()
        .filter(|a| a.path().is_ident("derive"))
    {
        let parser = Punctuated::<syn::Path, syn::Token![,]>::parse_terminated;
        let Ok(derives) = attribute.parse_args_with(parser) else {
            continue;
        };
        let kept = derives.into_iter().filter(|path| {
            let last = path
                .segments
                .last()
                .map(|segment| segment.ident.to_string());
            !matches!(last.as_deref(), Some("Serialize" | "Deserialize"))
        });
        *attribute = syn::parse_quote!(#[derive(#(#kept),*)]);
    }
}

/// Puts serde's attributes behind the feature `schemars`. The type no longer derives serde's traits, so only the derive
/// of schemars reads serde's attributes.
fn for_schemas_only(attributes: &mut [syn::Attribute]) {
    for attribute in attributes.iter_mut().filter(|a| a.path().is_ident("serde")) {
        let meta = &attribute.meta;
        *attribute = syn::parse_quote!(#[cfg_attr(feature = "schemars", #meta)]);
    }
}

/// Returns the JSON name of a field, if it differs from the Rust name.
fn renamed(attributes: &[syn::Attribute]) -> Option<String> {
    let mut name = None;
    for attribute in attributes.iter().filter(|a| a.path().is_ident("serde")) {
        let parsed = attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("rename") {
                name = Some(meta.value()?.parse::<syn::LitStr>()?.value());
            } else if meta.input.peek(syn::Token![=]) {
                meta.value()?.parse::<syn::Expr>()?;
            }
            Ok(())
        });
        debug_assert!(parsed.is_ok(), "{}", attribute.to_token_stream());
    }
    name
}

/// Replaces each map of `serde_json::Value` with `JsonObject`, which keeps a free-form object exactly as it was
/// received or given. A `serde_json::Value` rounds or rejects some large numbers.
struct ExactMaps;

impl VisitMut for ExactMaps {
    fn visit_type_mut(&mut self, kind: &mut syn::Type) {
        if text_of(kind) == MAP {
            *kind = syn::parse_quote!(crate::json::JsonObject);
            return;
        }
        visit_mut::visit_type_mut(self, kind);
    }

    fn visit_attribute_mut(&mut self, attribute: &mut syn::Attribute) {
        if attribute.path().is_ident("serde") {
            let text = attribute.to_token_stream().to_string();
            if text.contains("serde_json::Map::is_empty") {
                *attribute = syn::parse_quote!(
                    #[serde(default, skip_serializing_if = "crate::json::JsonObject::is_empty")]
                );
            }
        }
    }
}

const MAP: &str = "::serde_json::Map<::std::string::String,::serde_json::Value>";

fn text_of(kind: &syn::Type) -> String {
    let tokens: TokenStream = kind.to_token_stream();
    tokens.to_string().split_whitespace().collect()
}
