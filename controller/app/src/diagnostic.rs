//! What is wrong, where, and with what: `file:line:column: Kind namespace/name: field: reason`.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::manifest::{Fault, Mark};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Severity {
    /// Something does not do what it says.
    Error,
    /// It works, but probably not as meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Diagnostic {
    /// The file, as people know it.
    pub(crate) file: Option<Arc<Path>>,
    pub(crate) at: Option<Mark>,
    /// The object, as `Kind namespace/name`; empty for the file as a whole.
    pub(crate) object: String,
    /// The field, as `spec.rules[0].name`; empty for the object as a whole.
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) severity: Severity,
}

impl Diagnostic {
    /// About a file as a whole.
    pub(crate) fn of_file(file: &Arc<Path>, message: impl Into<String>) -> Self {
        Self {
            file: Some(file.clone()),
            at: None,
            object: String::new(),
            path: String::new(),
            message: message.into(),
            severity: Severity::Error,
        }
    }

    /// About something in a file.
    pub(crate) fn of_fault(file: &Arc<Path>, object: String, fault: Fault, severity: Severity) -> Self {
        let Fault { at, path, message } = fault;
        Self { file: Some(file.clone()), at: Some(at), object, path, message, severity }
    }

    /// What makes it the same thing in another version of the file: all but its place.
    fn identity(&self) -> (Option<&Path>, &str, &str, &str) {
        (self.file.as_deref(), &self.object, &self.path, &self.message)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", file.display())?;
            match self.at {
                Some(Mark { line, column }) => write!(f, "{line}:{column}: ")?,
                None => f.write_str(" ")?,
            }
        }
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        for part in [&self.object, &self.path] {
            if !part.is_empty() {
                write!(f, "{part}: ")?;
            }
        }
        f.write_str(&self.message)
    }
}

/// What is in `new` and was not in `old`, wherever in its file it stands.
pub(crate) fn added<'n>(old: &[Diagnostic], new: &'n [Diagnostic]) -> Vec<&'n Diagnostic> {
    let known: BTreeSet<_> = old.iter().map(Diagnostic::identity).collect();
    new.iter().filter(|diagnostic| !known.contains(&diagnostic.identity())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(line: u32, message: &str) -> Diagnostic {
        let fault = Fault { at: Mark { line, column: 3 }, path: "spec.x".into(), message: message.into() };
        Diagnostic::of_fault(&Path::new("a/b.yaml").into(), "Thing ns/n".into(), fault, Severity::Error)
    }

    #[test]
    fn a_message_names_file_line_object_field_and_reason() {
        assert_eq!(diagnostic(4, "no").to_string(), "a/b.yaml:4:3: Thing ns/n: spec.x: no");
        let whole = Diagnostic::of_file(&Path::new("b.yaml").into(), "is no text");
        assert_eq!(whole.to_string(), "b.yaml: is no text");
    }

    #[test]
    fn a_problem_that_moved_is_not_new() {
        let (old, new) = ([diagnostic(4, "no")], [diagnostic(5, "no"), diagnostic(6, "never")]);
        assert_eq!(added(&old, &new), [&new[1]]);
        assert_eq!(added(&new, &old), [] as [&Diagnostic; 0]);
    }
}
