//! The payload's protobuf. Numbers 1 to 5 of header, 1 to 4 of router and 1 to 3 of the message are KubeEdge's.

use alloc::string::String;
use bytes::Bytes;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Wire {
    #[prost(message, required, tag = "1")]
    pub(super) header: WireHeader,
    #[prost(message, required, tag = "2")]
    pub(super) router: WireRouter,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) content: Bytes,
    /// See [`super::content`].
    #[prost(uint32, tag = "4")]
    pub(super) content_form: u32,
    /// Members of the frame that the sender did not know, each as `,"key":value`.
    #[prost(string, tag = "5")]
    pub(super) members: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WireHeader {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(string, tag = "2")]
    pub(super) parent_id: String,
    #[prost(sint64, tag = "3")]
    pub(super) timestamp: i64,
    #[prost(bool, tag = "4")]
    pub(super) sync: bool,
    #[prost(string, tag = "5")]
    pub(super) r#type: String,
    #[prost(string, tag = "6")]
    pub(super) resource_version: String,
    #[prost(string, tag = "7")]
    pub(super) members: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WireRouter {
    #[prost(string, tag = "1")]
    pub(super) source: String,
    #[prost(string, tag = "2")]
    pub(super) group: String,
    #[prost(string, tag = "3")]
    pub(super) operation: String,
    #[prost(string, tag = "4")]
    pub(super) resource: String,
    #[prost(string, tag = "5")]
    pub(super) destination: String,
    #[prost(string, tag = "6")]
    pub(super) members: String,
}
