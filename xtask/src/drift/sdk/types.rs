//! The types of the SDK by name: a component schema without one is drift.

use blocks_sdk::{
    AgentName, ArtifactKind, Direction, MessageRole, MessageType, PresignedUrl, PullRequest, types,
};

use super::{SdkEnum, SdkType, compare};
use crate::drift::document::Document;
use crate::drift::finding::Outcome;

macro_rules! types {
    ($($sent:literal: $($path:ident)::+ as $name:literal,)*) => {
        vec![$(SdkType {
            name: $name,
            sent: $sent,
            schema: schemars::schema_for!($($path)::+).to_value(),
        }),*]
    };
}

macro_rules! enums {
    ($($name:ident),*) => {
        [$(SdkEnum { name: stringify!($name), known: $name::KNOWN }),*]
    };
}

/// Compares all types and enums.
pub fn check(document: &Document) -> Outcome {
    let types = types![
        true: types::CreateSessionRequest as "CreateSessionRequest",
        true: types::CreateMessageRequest as "CreateMessageRequest",
        false: types::Artifact as "Artifact",
        false: types::ErrorBody as "ErrorBody",
        false: types::Link as "Link",
        false: types::Message as "Message",
        false: types::MessageLinks as "MessageLinks",
        false: types::MessagePage as "MessagePage",
        false: types::PageLinks as "PageLinks",
        false: types::PageMeta as "PageMeta",
        false: types::Session as "Session",
        false: types::SessionLinks as "SessionLinks",
        false: PresignedUrl as "PresignedUrl",
        false: PullRequest as "PullRequest",
    ];
    let enums = enums![AgentName, ArtifactKind, Direction, MessageRole, MessageType];
    compare(document, &types, &enums)
}
