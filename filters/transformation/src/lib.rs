//! Rewrites headers, bodies and metadata of requests and responses by templates.
