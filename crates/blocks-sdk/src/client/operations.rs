//! Defines the operations of the OpenAPI document that the client calls.

use crate::engine::call::Operation;

impl Operation {
    pub const CREATE_SESSION: Self = Self::creating("createSession");
    pub const CREATE_MESSAGE: Self = Self::creating("createMessage");
    pub const GET_SESSION: Self = Self::reading("getSession");
    pub const LIST_SESSION_MESSAGES: Self = Self::reading("listSessionMessages");
    pub const LIST_THREAD_MESSAGES: Self = Self::reading("listThreadMessages");
    pub const GET_ARTIFACT: Self = Self::reading("getArtifact");
}
