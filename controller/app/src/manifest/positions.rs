//! Where each field of an object stands in its file.
//!
//! Kept for as long as the object, so it is small: a hash of each field's path, and its line and column.

use super::node::{Content, Mark, Node};

/// The places of an object's fields.
#[derive(Clone, Debug)]
pub(crate) struct Positions {
    object: Mark,
    /// Ordered by hash.
    fields: Box<[Spot]>,
}

#[derive(Clone, Copy, Debug)]
struct Spot {
    path: u64,
    at: Mark,
    surprising: bool,
}

impl Positions {
    pub(super) fn of(object: &Node) -> Self {
        let mut fields = Vec::new();
        collect(object, &mut String::new(), &mut fields);
        fields.sort_unstable_by_key(|spot| spot.path);
        Self { object: object.at, fields: fields.into() }
    }

    /// Where the object starts.
    pub(crate) fn object(&self) -> Mark {
        self.object
    }

    /// Where `path` (as `spec.rules[0].name`) stands, else the nearest field around it that exists.
    pub(crate) fn find(&self, path: &str) -> Mark {
        let mut path = path;
        loop {
            if let Some(spot) = self.spot(path) {
                return spot.at;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return self.object,
            }
        }
    }

    /// Whether the field, or its name, is a bare word such as `on` that YAML 1.1 alone takes for a boolean.
    pub(crate) fn is_surprising(&self, path: &str) -> bool {
        self.spot(path).is_some_and(|spot| spot.surprising)
    }

    fn spot(&self, path: &str) -> Option<&Spot> {
        let hash = hash(path);
        self.fields.binary_search_by_key(&hash, |spot| spot.path).ok().and_then(|at| self.fields.get(at))
    }
}

/// Appends a field's name to a path.
pub(super) fn push_field(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

fn collect(node: &Node, path: &mut String, spots: &mut Vec<Spot>) {
    let length = path.len();
    match &node.content {
        Content::Scalar { .. } => {}
        Content::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push_str(&format!("[{index}]"));
                record(item, item.at, false, path, spots);
                path.truncate(length);
            }
        }
        Content::Mapping(fields) => {
            for field in fields {
                push_field(path, &field.name);
                record(&field.value, field.at, field.surprising, path, spots);
                path.truncate(length);
            }
        }
    }
}

fn record(node: &Node, at: Mark, surprising: bool, path: &mut String, spots: &mut Vec<Spot>) {
    let surprising = surprising || matches!(node.content, Content::Scalar { surprising: true, .. });
    spots.push(Spot { path: hash(path), at, surprising });
    collect(node, path, spots);
}

fn hash(path: &str) -> u64 {
    rapidhash::v3::rapidhash_v3(path.as_bytes())
}
