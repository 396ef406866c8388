//! Runs progenitor, which generates the client. An error of progenitor names the part of the OpenAPI document that
//! caused it, if there is one such part.

use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::process::{Command, Stdio};

use openapiv3::OpenAPI;
use progenitor::{GenerationSettings, Generator, HooksMode, InterfaceStyle};
use quote::quote;
use serde_json::Value;
use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut;

use super::{reduce, tolerant};

const HEADER: &str =
    "// Generated from openapi/blocks.yaml by `cargo xtask codegen`. Do not edit.\n\n";

/// The types that `blocks_api::open` defines by hand. Most of them accept more values than the OpenAPI document lists,
/// for example an id that is not a UUID, or an unknown type of message.
pub(super) const OPEN: [&str; 9] = [
    "Id",
    "Timestamp",
    "AgentName",
    "MessageRole",
    "MessageType",
    "ArtifactKind",
    "Direction",
    "PresignedUrl",
    "PullRequest",
];

const SCHEMA_DERIVE: &str = "::schemars::JsonSchema";

/// Returns the formatted Rust source for an OpenAPI document that the module `lower` has changed.
pub fn emit(document: &Value) -> Result<String, String> {
    let parsed = parse(document)?;
    let tokens = generate(&parsed).map_err(|message| match failing_part(&parsed) {
        Some(place) => format!("at {place}: {message}"),
        None => format!("in several places: {message}"),
    })?;
    let mut file: syn::File = syn::parse2(tokens).map_err(|e| format!("generated code: {e}"))?;
    OneLineDocs.visit_file_mut(&mut file);
    OptionalSchemas.visit_file_mut(&mut file);
    reduce::reduce(&mut file);
    tolerant::rewrite(&mut file);
    rustfmt(&format!("{HEADER}{}", prettyplease::unparse(&file)))
}

/// Parses an OpenAPI document that the module `lower` has changed. The parser's errors in paths and components do not
/// contain the place of the error. After an error, this function therefore parses each operation and schema alone to
/// find the place.
fn parse(document: &Value) -> Result<OpenAPI, String> {
    const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];
    serde_path_to_error::deserialize(document).map_err(|whole| {
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for method in METHODS.iter().filter(|m| item.get(**m).is_some()) {
                let part: Result<openapiv3::Operation, _> =
                    serde_path_to_error::deserialize(&item[*method]);
                if let Err(e) = part {
                    return format!("at paths.{path}.{method}.{}: {}", e.path(), e.inner());
                }
            }
        }
        let schemas = document["components"]["schemas"].as_object();
        for (name, schema) in schemas.into_iter().flatten() {
            let part: Result<openapiv3::ReferenceOr<openapiv3::Schema>, _> =
                serde_path_to_error::deserialize(schema);
            if let Err(e) = part {
                return format!("at components.schemas.{name}.{}: {}", e.path(), e.inner());
            }
        }
        format!("at {}: {}", whole.path(), whole.inner())
    })
}

/// Runs progenitor. For some documents, progenitor panics instead of returning an error, so this function catches
/// panics. A caught panic prints nothing, because a backtrace says nothing about the OpenAPI document.
fn generate(document: &OpenAPI) -> Result<proc_macro2::TokenStream, String> {
    let mut settings = GenerationSettings::new();
    settings
        .with_interface(InterfaceStyle::Builder)
        .with_inner_type(quote! { crate::hook::Hook })
        .with_hooks(HooksMode::Expected)
        // Unlike a `HashMap`, a `BTreeMap` is written as JSON in the same order each time.
        .with_map_type("::std::collections::BTreeMap")
        .with_derive("PartialEq")
        .with_derive(SCHEMA_DERIVE);
    for name in OPEN {
        settings.with_replacement(name, format!("crate::open::{name}"), std::iter::empty());
    }
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
        Generator::new(&settings).generate_tokens(document)
    }));
    panic::set_hook(hook);
    match outcome {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(payload) => Err(payload
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).to_owned()))
            .unwrap_or_else(|| "progenitor does not support this".to_owned())),
    }
}

/// Finds the part of the OpenAPI document for which progenitor cannot generate code. First generates the schemas
/// without any path. If this succeeds, tries each path without the other paths, and returns the first path that fails.
/// If the schemas fail, replaces each schema in turn with an empty schema, and returns the first schema whose
/// replacement makes the generation succeed.
fn failing_part(document: &OpenAPI) -> Option<String> {
    let mut pathless = document.clone();
    pathless.paths.paths.clear();
    if generate(&pathless).is_ok() {
        return document.paths.paths.keys().find_map(|path| {
            let mut alone = document.clone();
            alone.paths.paths.retain(|other, _| other == path);
            generate(&alone).is_err().then(|| format!("paths.{path}"))
        });
    }
    let schemas = &document.components.as_ref()?.schemas;
    schemas.keys().find_map(|name| {
        let mut without = pathless.clone();
        let any = serde_json::from_value(serde_json::json!({})).ok()?;
        without
            .components
            .as_mut()?
            .schemas
            .insert(name.clone(), any);
        generate(&without)
            .is_ok()
            .then(|| format!("components.schemas.{name}"))
    })
}

/// Splits each doc comment into one attribute per line. Otherwise, rustfmt would turn a comment of several lines into
/// an indented block, and rustdoc would read this block as code.
struct OneLineDocs;

impl VisitMut for OneLineDocs {
    fn visit_attributes_mut(&mut self, attributes: &mut Vec<syn::Attribute>) {
        let split = std::mem::take(attributes)
            .into_iter()
            .flat_map(|attribute| {
                let style = attribute.style;
                match doc_text(&attribute) {
                    Some(text) => text
                        .lines()
                        .map(|line| {
                            let line = format!(" {}", line.trim());
                            let mut one: syn::Attribute = syn::parse_quote!(#[doc = #line]);
                            one.style = style;
                            one
                        })
                        .collect(),
                    None => vec![attribute],
                }
            });
        *attributes = split.collect();
    }
}

/// Puts the derive of `JsonSchema` behind a feature, because few users need this trait. typify, which generates the
/// types for progenitor, has no option for this.
struct OptionalSchemas;

impl VisitMut for OptionalSchemas {
    fn visit_attributes_mut(&mut self, attributes: &mut Vec<syn::Attribute>) {
        let mut found = false;
        for attribute in attributes
            .iter_mut()
            .filter(|a| a.path().is_ident("derive"))
        {
            let Ok(derives) = attribute
                .parse_args_with(Punctuated::<syn::Path, syn::Token![,]>::parse_terminated)
            else {
                continue;
            };
            let (schema, kept): (Vec<_>, Vec<_>) = derives.into_iter().partition(|path| {
                path.segments
                    .last()
                    .is_some_and(|s| s.ident == "JsonSchema")
            });
            found |= !schema.is_empty();
            *attribute = syn::parse_quote!(#[derive(#(#kept),*)]);
        }
        if found {
            attributes.push(syn::parse_quote!(
                #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
            ));
        }
    }
}

fn doc_text(attribute: &syn::Attribute) -> Option<String> {
    let syn::Meta::NameValue(pair) = &attribute.meta else {
        return None;
    };
    match &pair.value {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) if pair.path.is_ident("doc") => Some(text.value()),
        _ => None,
    }
}

fn rustfmt(source: &str) -> Result<String, String> {
    let failed = |e: &dyn std::fmt::Display| format!("rustfmt: {e} (rustup component add rustfmt)");
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| failed(&e))?;
    let mut stdin = child.stdin.take().ok_or_else(|| failed(&"no pipe"))?;
    // Another thread writes the input, because rustfmt may fill its output pipe before it has read all input.
    let text = source.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().map_err(|e| failed(&e))?;
    let written = writer.join().map_err(|_| failed(&"its input was lost"))?;
    written.map_err(|e| failed(&e))?;
    if !output.status.success() {
        return Err(failed(&output.status));
    }
    String::from_utf8(output.stdout).map_err(|e| failed(&e))
}
