//! Paths of variables: `user.names.0`, `user/names/0`.

use super::code::{is_name, quoted};

/// How a template writes paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notation {
    /// `a.b`, and `a/b`, too.
    #[default]
    Dot,
    /// `a/b` alone: Gloo's `advancedTemplates`.
    Pointer,
}

/// The steps of a path as Inja takes them.
///
/// # Errors
/// A `~` that RFC 6901 gives no meaning.
pub(super) fn steps(path: &str, notation: Notation) -> Result<Vec<String>, String> {
    let pointer = match notation {
        // What follows the last dot may be missing, as if the dot were not there.
        Notation::Dot => path.strip_suffix('.').unwrap_or(path).replace('.', "/"),
        Notation::Pointer => path.to_owned(),
    };
    pointer.split('/').map(unescaped).collect()
}

fn unescaped(step: &str) -> Result<String, String> {
    let mut parts = step.split('~');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (replacement, rest) = match part.chars().next() {
            Some('0') => ('~', part.get(1..)),
            Some('1') => ('/', part.get(1..)),
            _ => return Err(format!("`{step}` has a `~` that is neither `~0` nor `~1`")),
        };
        text.push(replacement);
        text.push_str(rest.unwrap_or_default());
    }
    Ok(text)
}

/// `.name`, `[0]` or `["any name"]` for each step.
pub(super) fn below(steps: &[String]) -> String {
    steps.iter().map(|step| one(step)).collect()
}

fn one(step: &str) -> String {
    match step {
        step if is_name(step) => format!(".{step}"),
        step if is_index(step) => format!("[{step}]"),
        step => format!("[{}]", quoted(step)),
    }
}

/// Whether JSON pointers take it for the place of an item.
pub(super) fn is_index(step: &str) -> bool {
    let digits = !step.is_empty() && step.len() <= 9 && step.bytes().all(|byte| byte.is_ascii_digit());
    digits && (step == "0" || !step.starts_with('0'))
}
