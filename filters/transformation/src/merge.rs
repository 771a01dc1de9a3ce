//! Edits of some members of a JSON body, which leave all other bytes as they are.
//!
//! Invariant: of a key that is repeated all are edited, so that no reader finds an old value, whichever of them it takes.

use smallvec::{SmallVec, smallvec};

use crate::rope::Rope;
use crate::template::Template;
use ferrule_json::{Document, Kind, Node, write_string};

/// The members to edit.
#[derive(Debug)]
pub(crate) struct Merge {
    pub(crate) leaves: Vec<Leaf>,
    tree: Tree,
}

/// One member to edit.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// Names joined by dots.
    pub(crate) path: String,
    pub(crate) value: LeafValue,
}

/// Where a member's value comes from.
#[derive(Debug)]
pub(crate) enum LeafValue {
    Template {
        template: Template,
        override_empty: bool,
    },
    /// What the extractor of this name finds, as a string.
    Extraction(String),
}

/// Members of an object to edit.
#[derive(Debug, Default)]
struct Tree {
    members: Vec<(String, Branch)>,
}

#[derive(Debug)]
enum Branch {
    /// Place in the leaves.
    Leaf(usize),
    Tree(Tree),
}

/// Why a body cannot be edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MergeError {
    #[error("the body is no JSON object")]
    NoObject,
    #[error("a member on the way to one that is to be set is no object")]
    NoObjectOnTheWay,
    #[error("the body repeats a key too often")]
    Repeated,
}

impl Merge {
    /// Orders members by their paths.
    ///
    /// # Errors
    /// A path that cannot be meant, and why.
    pub(crate) fn new(leaves: Vec<Leaf>) -> Result<Self, (String, &'static str)> {
        let mut tree = Tree::default();
        for (number, leaf) in leaves.iter().enumerate() {
            let names: Vec<&str> = leaf.path.split('.').collect();
            if names.iter().any(|name| name.is_empty()) {
                return Err((leaf.path.clone(), "is no path: names joined by dots"));
            }
            if !tree.insert(&names, number) {
                return Err((leaf.path.clone(), "lies within another path that is set"));
            }
        }
        Ok(Self { leaves, tree })
    }

    /// Names of the members of the root object that are edited, or within which something is.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &str> {
        self.tree.members.iter().map(|(name, _)| &**name)
    }

    /// Writes the document with its members set to `values`, one for each leaf; a member without a value stays.
    ///
    /// `names` are those that the document was parsed with, [`Merge::roots`] among them.
    ///
    /// # Errors
    /// The document has not the shape for it.
    pub(crate) fn apply<'a>(
        &self,
        document: &Document<'a>,
        names: &[String],
        values: &[Option<Vec<u8>>],
        out: &mut Rope<'a>,
    ) -> Result<(), MergeError> {
        let root = document.root();
        if values.iter().all(Option::is_none) {
            out.lend(root.text().as_bytes());
            return Ok(());
        }
        if !matches!(root.kind(), Kind::Object) {
            return Err(MergeError::NoObject);
        }
        let members = document.members().ok_or(MergeError::Repeated)?;
        let found = members.filter_map(|(name, value)| {
            let name = names.get(name)?;
            Some((self.tree.members.iter().position(|(known, _)| known == name)?, value))
        });
        edit(&self.tree, root, found, values, out)
    }
}

impl Tree {
    /// Says whether the path could be added: none lies within another.
    fn insert(&mut self, names: &[&str], leaf: usize) -> bool {
        let Some((first, rest)) = names.split_first() else { return false };
        let known = self.members.iter_mut().find(|(name, _)| name == first);
        match (known, rest) {
            (None, []) => self.members.push(((*first).to_owned(), Branch::Leaf(leaf))),
            (None, rest) => {
                let mut tree = Self::default();
                tree.insert(rest, leaf);
                self.members.push(((*first).to_owned(), Branch::Tree(tree)));
            }
            (Some((_, Branch::Tree(tree))), [_, ..]) => return tree.insert(rest, leaf),
            (Some(_), _) => return false,
        }
        true
    }

    /// Whether something within it has a value.
    fn has_values(&self, values: &[Option<Vec<u8>>]) -> bool {
        self.members.iter().any(|(_, branch)| branch.value(values))
    }
}

impl Branch {
    fn value(&self, values: &[Option<Vec<u8>>]) -> bool {
        match self {
            Self::Leaf(leaf) => values.get(*leaf).is_some_and(Option::is_some),
            Self::Tree(tree) => tree.has_values(values),
        }
    }
}

/// Writes `object` with the members that were `found` edited (place in the tree, value) and those that were not appended.
fn edit<'a>(
    tree: &Tree,
    object: Node<'a>,
    found: impl Iterator<Item = (usize, Node<'a>)>,
    values: &[Option<Vec<u8>>],
    out: &mut Rope<'a>,
) -> Result<(), MergeError> {
    let text = object.text().as_bytes();
    let mut seen: SmallVec<[bool; 16]> = smallvec![false; tree.members.len()];
    let mut at = 0;
    for (place, old) in found {
        let Some((_, branch)) = tree.members.get(place).filter(|(_, branch)| branch.value(values)) else {
            continue;
        };
        if let Some(seen) = seen.get_mut(place) {
            *seen = true;
        }
        let stands = old.place_in(text);
        out.lend(text.get(at..stands.start).unwrap_or_default());
        at = stands.end;
        match branch {
            Branch::Leaf(leaf) => write_leaf(*leaf, values, out),
            Branch::Tree(inner) => edit_inner(inner, old, values, out)?,
        }
    }
    let end = text.len() - 1;
    out.lend(text.get(at..end).unwrap_or_default());
    let missing =
        tree.members.iter().zip(&seen).filter(|((_, branch), seen)| !**seen && branch.value(values));
    let mut comma = object.members().next().is_some();
    for ((name, branch), _) in missing {
        write_member(name, branch, values, std::mem::replace(&mut comma, true), out);
    }
    out.push(b"}");
    Ok(())
}

fn edit_inner<'a>(
    tree: &Tree,
    object: Node<'a>,
    values: &[Option<Vec<u8>>],
    out: &mut Rope<'a>,
) -> Result<(), MergeError> {
    if !matches!(object.kind(), Kind::Object) {
        return Err(MergeError::NoObjectOnTheWay);
    }
    let found = object
        .members()
        .filter_map(|(key, value)| Some((tree.members.iter().position(|(name, _)| key.is(name))?, value)));
    edit(tree, object, found, values, out)
}

fn write_member(name: &str, branch: &Branch, values: &[Option<Vec<u8>>], comma: bool, out: &mut Rope<'_>) {
    if comma {
        out.push(b",");
    }
    out.push(&quoted(name));
    out.push(b":");
    match branch {
        Branch::Leaf(leaf) => write_leaf(*leaf, values, out),
        Branch::Tree(tree) => {
            out.push(b"{");
            let with_values = tree.members.iter().filter(|(_, branch)| branch.value(values));
            for (number, (name, branch)) in with_values.enumerate() {
                write_member(name, branch, values, number > 0, out);
            }
            out.push(b"}");
        }
    }
}

fn write_leaf(leaf: usize, values: &[Option<Vec<u8>>], out: &mut Rope<'_>) {
    out.push(values.get(leaf).and_then(Option::as_deref).unwrap_or_default());
}

/// A JSON string (RFC 8259 §7).
pub(crate) fn quoted(text: &str) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    quoted.push(b'"');
    write_string(text, &mut quoted);
    quoted.push(b'"');
    quoted
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn merge(paths: &[&str]) -> Result<Merge, (String, &'static str)> {
        let leaf =
            |path: &&str| Leaf { path: (*path).to_owned(), value: LeafValue::Extraction(String::new()) };
        Merge::new(paths.iter().map(leaf).collect())
    }

    fn merged(json: &str, values: &[(&str, Option<&str>)]) -> Result<String, MergeError> {
        let paths: Vec<&str> = values.iter().map(|(path, _)| *path).collect();
        let merge = merge(&paths).unwrap();
        let names: Vec<String> = merge.roots().map(str::to_owned).collect();
        let document = Document::parse(json.as_bytes(), &names).unwrap();
        let values: Vec<_> =
            values.iter().map(|(_, value)| value.map(|text| text.as_bytes().to_vec())).collect();
        let mut rope = Rope::default();
        merge.apply(&document, &names, &values, &mut rope)?;
        Ok(String::from_utf8(rope.into_bytes().into_vec()).unwrap())
    }

    #[test]
    fn members_are_set_and_all_else_stays_to_the_byte() {
        let json = r#"{ "a" : 1 , "b":{"c" :[ 1,2 ],"d":"x"}, "e":1.50 }"#;
        assert_eq!(
            merged(json, &[("a", Some("{\"new\":true}")), ("b.d", Some("null"))]).as_deref(),
            Ok(r#"{ "a" : {"new":true} , "b":{"c" :[ 1,2 ],"d":null}, "e":1.50 }"#)
        );
        assert_eq!(merged(json, &[("a", None)]).as_deref(), Ok(json));
    }

    #[test]
    fn missing_members_are_appended_with_what_is_on_the_way() {
        let values = [("b.x.y", Some("1")), ("b.x.z", Some("2")), ("n\"", Some("3")), ("none.at", None)];
        assert_eq!(
            merged(r#"{"a":0,"b":{ } }"#, &values).as_deref(),
            Ok(r#"{"a":0,"b":{ "x":{"y":1,"z":2}} ,"n\"":3}"#)
        );
        assert_eq!(merged("{}", &[("a.b", Some("1"))]).as_deref(), Ok(r#"{"a":{"b":1}}"#));
    }

    #[test]
    fn repeated_and_escaped_keys_are_all_edited() {
        let json = r#"{"a":1,"\u0061":2,"b":{"c":1,"c":2}}"#;
        assert_eq!(
            merged(json, &[("a", Some("0")), ("b.c", Some("9"))]).as_deref(),
            Ok(r#"{"a":0,"\u0061":0,"b":{"c":9,"c":9}}"#)
        );
        let hostile = format!("{{{}\"a\":1}}", "\"a\":1,".repeat(5000));
        assert_eq!(merged(&hostile, &[("a", Some("0"))]), Err(MergeError::Repeated));
    }

    #[test]
    fn what_has_not_the_shape_is_an_error() {
        assert_eq!(merged("[1]", &[("a", Some("0"))]), Err(MergeError::NoObject));
        assert_eq!(merged("[1]", &[("a", None)]).as_deref(), Ok("[1]"));
        assert_eq!(merged(r#"{"a":1}"#, &[("a.b", Some("0"))]), Err(MergeError::NoObjectOnTheWay));
    }

    #[test]
    fn paths_that_cannot_be_meant_are_refused() {
        for paths in [&["a", "a.b"][..], &["a.b", "a"], &[""], &["a..b"], &["a."]] {
            assert!(merge(paths).is_err(), "{paths:?}");
        }
        assert!(merge(&["a.b", "a.c", "b"]).is_ok());
    }
}
