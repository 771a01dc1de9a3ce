//! One rule: its expression, and what is said where it does not hold.

use std::collections::HashMap;
use std::sync::Arc;

use kube_cel::cel::objects::OptionalValue;
use kube_cel::cel::{Context, ExecutionError, Program, Value as Cel};

use crate::path::Path;
use crate::source::SourceRule;
use crate::violation::{Cause, Findings};

/// Bytes of a message that an expression makes (`MaxEvaluatedMessageExpressionSizeBytes`).
const MOST_MESSAGE: usize = 5 << 10;

/// A compiled rule.
pub(crate) struct Rule {
    program: Arc<Program>,
    text: String,
    message: Option<String>,
    message_program: Option<Arc<Program>>,
    cause: Cause,
    /// Names of fields below the one that has the rule.
    field: Vec<String>,
    /// Whether it is about a change, and so does not apply to what is new.
    pub(super) reads_old: bool,
    old_is_optional: bool,
}

/// Expressions by their text.
#[derive(Default)]
pub(crate) struct Programs(HashMap<String, Arc<Program>>);

impl Programs {
    fn of(&mut self, text: &str) -> Result<Arc<Program>, String> {
        if let Some(known) = self.0.get(text) {
            return Ok(known.clone());
        }
        let program = Program::compile(text).map_err(|error| format!("rule `{text}`: {error}"))?;
        Ok(self.0.entry(text.to_owned()).or_insert(Arc::new(program)).clone())
    }
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rule").field("text", &self.text).finish_non_exhaustive()
    }
}

impl Rule {
    /// # Errors
    /// It is no CEL, or it has a field that cannot be understood.
    pub(crate) fn compile(source: SourceRule, programs: &mut Programs) -> Result<Self, String> {
        let program = programs.of(&source.rule)?;
        let cause = match source.reason.as_deref() {
            None | Some("FieldValueInvalid") => Cause::Invalid,
            Some("FieldValueForbidden") => Cause::Forbidden,
            Some("FieldValueRequired") => Cause::Required,
            Some("FieldValueDuplicate") => Cause::Duplicate,
            Some(reason) => return Err(format!("unknown reason {reason}")),
        };
        Ok(Self {
            reads_old: program.references().has_variable("oldSelf"),
            program,
            message: source.message.map(|message| message.trim().to_owned()),
            message_program: source.message_expression.map(|text| programs.of(&text)).transpose()?,
            cause,
            field: source.field_path.as_deref().map_or(Ok(Vec::new()), fields_of)?,
            old_is_optional: source.optional_old_self,
            text: source.rule,
        })
    }

    /// `oldSelf` as this rule expects it.
    pub(super) fn old(&self, old: Cel) -> Cel {
        if self.old_is_optional { Cel::Opaque(Arc::new(OptionalValue::of(old))) } else { old }
    }

    pub(super) fn run(&self, scope: &Context<'_>, path: Path<'_>, found: &mut Findings) {
        let message = match self.program.execute(scope) {
            Ok(Cel::Bool(true)) => return,
            Ok(Cel::Bool(false)) => self.say(scope),
            Ok(_) => format!("rule `{}` gives no boolean", self.text),
            Err(error) => format!("rule `{}` cannot be evaluated: {}", self.text, reason(&error)),
        };
        let mut place = path.to_string();
        for name in &self.field {
            if !place.is_empty() {
                place.push('.');
            }
            place.push_str(name);
        }
        found.push(place, self.cause, message);
    }

    fn say(&self, scope: &Context<'_>) -> String {
        let told = self.message_program.as_ref().and_then(|program| program.execute(scope).ok());
        if let Some(Cel::String(told)) = told {
            let told = told.trim();
            if !told.is_empty() && told.len() <= MOST_MESSAGE && !told.contains('\n') {
                return told.to_owned();
            }
        }
        self.message.clone().unwrap_or_else(|| format!("failed rule: {}", self.text.trim()))
    }
}

/// What went wrong, without the values that CEL would quote at length.
fn reason(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::UndeclaredReference(name) => format!("{name} is not known here"),
        ExecutionError::FunctionError { function, message } => format!("{function}: {message}"),
        _ => "its parts do not fit together".to_owned(),
    }
}

/// The names of `.spec.foo`.
fn fields_of(path: &str) -> Result<Vec<String>, String> {
    let is_plain = |name: &str| !name.is_empty() && !name.contains(['[', ']', '\'']);
    let names: Option<Vec<_>> =
        path.strip_prefix('.').map(|names| names.split('.').map(str::to_owned).collect());
    names
        .filter(|names| names.iter().all(|name| is_plain(name)))
        .ok_or_else(|| format!("fieldPath {path} is not supported"))
}
