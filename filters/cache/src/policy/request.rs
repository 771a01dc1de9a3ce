//! What a cache has to know of a request, read once.

use super::cache_control::RequestDirectives;
use super::field::Section;
use super::method::Method;
use super::rules::Rules;

/// A request as a cache sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it asks for.
    pub method: Method,
    /// Its Cache-Control; nothing where the rules say not to honour it.
    pub directives: RequestDirectives,
    /// It carries credentials (RFC 9111 §3.5).
    pub has_authorization: bool,
    /// It asks for a part (RFC 9110 §14.2).
    pub has_range: bool,
    /// It has conditions that a cache can evaluate (RFC 9111 §4.3.2).
    pub is_conditional: bool,
    /// It has conditions that only the origin can evaluate: If-Match, If-Unmodified-Since (RFC 9111 §4.3.2).
    pub is_for_origin: bool,
}

impl Request {
    /// A GET that says nothing of how it is to be answered.
    pub const USUAL: Self = Self {
        method: Method::Get,
        directives: RequestDirectives::NONE,
        has_authorization: false,
        has_range: false,
        is_conditional: false,
        is_for_origin: false,
    };

    /// Reads a header section.
    pub fn read(method: &[u8], fields: &(impl Section + ?Sized), rules: &Rules) -> Self {
        let directives = if rules.honour_request_directives {
            let pragma = fields.combined("pragma");
            RequestDirectives::parse(fields.combined("cache-control").as_deref(), pragma.as_deref())
        } else {
            RequestDirectives::default()
        };
        Self {
            method: Method::parse(method),
            directives,
            has_authorization: fields.has("authorization"),
            has_range: fields.has("range"),
            is_conditional: fields.has("if-none-match") || fields.has("if-modified-since"),
            is_for_origin: fields.has("if-match") || fields.has("if-unmodified-since"),
        }
    }
}
