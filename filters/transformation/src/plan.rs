//! One transform compiled: what it reads, what it changes.

use ferrule_kit::{ConfigError, Message};

use crate::config::{HeaderTransformation, MetadataTransformation, ParseAs, Transform};
use crate::field::{self, Change};
use crate::json::Wanted;
use crate::template::{Needs, Template};

/// The most entries of a list that the custom resource allows.
const MAX_ENTRIES: usize = 16;
/// The longest namespace or key of metadata that the custom resource allows, in bytes.
const MAX_METADATA_NAME: usize = 256;

/// A transform that can be run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) message: Message,
    pub(crate) parse_as: ParseAs,
    pub(crate) set: Vec<FieldPlan>,
    pub(crate) add: Vec<FieldPlan>,
    pub(crate) remove: Vec<String>,
    pub(crate) body: Option<Template>,
    pub(crate) metadata: Vec<MetadataPlan>,
    /// Which parts of the JSON are read; none of it if nothing parses it.
    pub(crate) wanted: Option<Wanted>,
    /// Whether anything reads or writes the body, so that it must be held.
    pub(crate) holds_body: bool,
}

/// A header field and its template; without one it is removed.
#[derive(Debug)]
pub(crate) struct FieldPlan {
    pub(crate) name: String,
    pub(crate) value: Option<Template>,
}

/// An entry of dynamic metadata.
#[derive(Debug)]
pub(crate) struct MetadataPlan {
    pub(crate) namespace: String,
    pub(crate) key: String,
    pub(crate) value: Template,
}

/// The name of a message in paths of fields.
pub(crate) fn path(message: Message) -> &'static str {
    match message {
        Message::Request => "request",
        Message::Response => "response",
    }
}

impl Plan {
    /// Compiles a transform of `message`.
    ///
    /// # Errors
    /// Names the field and says what is wrong with it.
    pub(crate) fn compile(message: Message, transform: Transform) -> Result<Self, ConfigError> {
        let at = path(message);
        let set = fields(&format!("{at}.set"), transform.set, message, Change::Set)?;
        let add = fields(&format!("{at}.add"), transform.add, message, Change::Add)?;
        let remove = removals(&format!("{at}.remove"), &transform.remove, message)?;
        let metadata = metadata(&format!("{at}.dynamicMetadata"), transform.dynamic_metadata)?;
        let body = transform.body.unwrap_or_default();
        let template = body.value.map(|value| template(format!("{at}.body.value"), &value)).transpose()?;
        let mut plan = Self {
            message,
            parse_as: body.parse_as,
            set,
            add,
            remove,
            body: template.filter(|_| body.parse_as != ParseAs::None),
            metadata,
            wanted: None,
            holds_body: false,
        };
        plan.decide_what_to_hold();
        Ok(plan)
    }

    /// A body is held only if a template reads it or one takes its place.
    fn decide_what_to_hold(&mut self) {
        let needs: Vec<&Needs> = self.templates().map(Template::needs).collect();
        let reads_text = needs.iter().any(|needs| needs.body);
        let reads_all = needs.iter().any(|needs| needs.context);
        let variables: Vec<String> = needs.iter().flat_map(|needs| needs.variables.iter().cloned()).collect();
        let reads_json = reads_all || !variables.is_empty();
        self.holds_body = match self.parse_as {
            ParseAs::None => false,
            ParseAs::AsString => self.body.is_some() || reads_text,
            ParseAs::AsJson => self.body.is_some() || reads_text || reads_json,
        };
        let wanted = if reads_all { Wanted::Everything } else { Wanted::Members(variables) };
        self.wanted = (self.parse_as == ParseAs::AsJson).then_some(wanted);
    }

    fn templates(&self) -> impl Iterator<Item = &Template> {
        let fields = self.set.iter().chain(&self.add).filter_map(|field| field.value.as_ref());
        fields.chain(&self.body).chain(self.metadata.iter().map(|entry| &entry.value))
    }
}

fn template(path: String, source: &str) -> Result<Template, ConfigError> {
    Template::compile(source).map_err(|error| ConfigError::new(path, error.to_string()))
}

fn fields(
    path: &str,
    entries: Vec<HeaderTransformation>,
    message: Message,
    change: Change,
) -> Result<Vec<FieldPlan>, ConfigError> {
    check_list(path, entries.iter().map(|entry| &*entry.name))?;
    entries
        .into_iter()
        .enumerate()
        .map(|(number, entry)| field_plan(&format!("{path}[{number}]"), entry, message, change))
        .collect()
}

fn field_plan(
    path: &str,
    entry: HeaderTransformation,
    message: Message,
    change: Change,
) -> Result<FieldPlan, ConfigError> {
    // A field that is set to nothing is removed.
    let written = entry.value.filter(|value| !value.is_empty());
    let change = if written.is_none() && change == Change::Set { Change::Remove } else { change };
    let name = named(&format!("{path}.name"), &entry.name, message, change)?;
    let value = written.map(|value| template(format!("{path}.value"), &value)).transpose()?;
    Ok(FieldPlan { name, value })
}

fn removals(path: &str, names: &[String], message: Message) -> Result<Vec<String>, ConfigError> {
    if names.len() > MAX_ENTRIES {
        return Err(too_many(path));
    }
    let numbered = names.iter().enumerate();
    numbered
        .map(|(number, name)| named(&format!("{path}[{number}]"), name, message, Change::Remove))
        .collect()
}

fn named(path: &str, written: &str, message: Message, change: Change) -> Result<String, ConfigError> {
    field::name(written, message, change)
        .map_err(|error| ConfigError::new(path, format!("`{written}` {error}")))
}

fn metadata(path: &str, entries: Vec<MetadataTransformation>) -> Result<Vec<MetadataPlan>, ConfigError> {
    if entries.len() > MAX_ENTRIES {
        return Err(too_many(path));
    }
    let numbered = entries.into_iter().enumerate();
    numbered.map(|(number, entry)| metadata_plan(&format!("{path}[{number}]"), entry)).collect()
}

fn metadata_plan(path: &str, entry: MetadataTransformation) -> Result<MetadataPlan, ConfigError> {
    for (name, value) in [("namespace", &entry.namespace), ("key", &entry.key)] {
        if value.is_empty() || value.len() > MAX_METADATA_NAME {
            return Err(ConfigError::new(format!("{path}.{name}"), "is empty or longer than 256 bytes"));
        }
    }
    let written = entry.value.string_value.filter(|value| !value.is_empty());
    let written = written.ok_or_else(|| {
        ConfigError::new(format!("{path}.value"), "exactly one kind of value is needed: stringValue")
    })?;
    let value = template(format!("{path}.value.stringValue"), &written)?;
    Ok(MetadataPlan { namespace: entry.namespace, key: entry.key, value })
}

fn check_list<'n>(path: &str, names: impl Iterator<Item = &'n str>) -> Result<(), ConfigError> {
    let mut seen: Vec<&str> = Vec::new();
    for (number, name) in names.enumerate() {
        if number >= MAX_ENTRIES {
            return Err(too_many(path));
        }
        if seen.contains(&name) {
            return Err(ConfigError::new(
                format!("{path}[{number}].name"),
                format!("`{name}` is named twice"),
            ));
        }
        seen.push(name);
    }
    Ok(())
}

fn too_many(path: &str) -> ConfigError {
    ConfigError::new(path, format!("more than {MAX_ENTRIES} entries"))
}
