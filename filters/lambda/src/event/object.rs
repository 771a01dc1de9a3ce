//! A JSON object that is written member by member.

use std::fmt::Display;
use std::io::Write;

use ferrule_json::write_string;

/// An object under way; what was written is one once it is closed, which dropping it does.
pub(super) struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl<'o> Object<'o> {
    /// An object at the end of `out`.
    pub(super) fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Where the value of the member `name` is to be written.
    pub(super) fn member(&mut self, name: &str) -> &mut Vec<u8> {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.push(b',');
        }
        write_text(name, self.out);
        self.out.push(b':');
        self.out
    }

    /// A member that is a string.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        write_text(value, self.member(name));
    }

    /// A member that is a truth value.
    pub(super) fn truth(&mut self, name: &str, value: bool) {
        self.member(name).extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A member that is a number.
    pub(super) fn number(&mut self, name: &str, value: impl Display) {
        // Memory takes all that is written.
        let _ = write!(self.member(name), "{value}");
    }

    /// A member that is null.
    pub(super) fn null(&mut self, name: &str) {
        self.member(name).extend_from_slice(b"null");
    }

    /// A member that is an object.
    pub(super) fn object(&mut self, name: &str) -> Object<'_> {
        Object::open(self.member(name))
    }

    /// A member that is a list of strings.
    pub(super) fn list<'t>(&mut self, name: &str, values: impl Iterator<Item = &'t str>) {
        let out = self.member(name);
        out.push(b'[');
        for (number, value) in values.enumerate() {
            if number > 0 {
                out.push(b',');
            }
            write_text(value, out);
        }
        out.push(b']');
    }

    /// A member that is a string of strings, joined by `between`.
    pub(super) fn joined<'t>(&mut self, name: &str, between: &str, values: impl Iterator<Item = &'t str>) {
        let out = self.member(name);
        out.push(b'"');
        for (number, value) in values.enumerate() {
            if number > 0 {
                out.extend_from_slice(between.as_bytes());
            }
            write_string(value, out);
        }
        out.push(b'"');
    }
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        self.out.push(b'}');
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    write_string(text, out);
    out.push(b'"');
}
