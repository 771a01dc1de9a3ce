//! A configuration compiled: what each transform reads, what it changes.

mod body;
mod fields;
mod metadata;
mod needs;
mod quick;

use ferrule_kit::{ConfigError, Host, Message};

use crate::config::{ErrorMode, ParseAs, Transform};
use crate::extractor::Extractor;
use crate::matching::Match;
use crate::template::Template;

pub(crate) use body::BodyPlan;
pub(crate) use fields::FieldPlan;
pub(crate) use metadata::{MetadataPlan, MetadataTemplate, plans as metadata_plans};
pub use needs::Reason;
pub(crate) use needs::uses_of;
use quick::Quick;

/// The most entries of a list that the custom resource allows.
const MAX_ENTRIES: usize = 16;

/// The transforms of one kind of message: the last one is for those that no match wants.
#[derive(Debug)]
pub(crate) struct Choice {
    matched: Vec<(Match, Plan)>,
    otherwise: Plan,
}

/// A transform that can be run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Where it stands in the configuration.
    pub(crate) path: String,
    pub(crate) message: Message,
    pub(crate) parse_as: ParseAs,
    pub(crate) ignores_parse_errors: bool,
    pub(crate) extractors: Vec<(String, Extractor)>,
    pub(crate) set: Vec<FieldPlan>,
    pub(crate) add: Vec<FieldPlan>,
    pub(crate) remove: Vec<String>,
    pub(crate) body: Option<BodyPlan>,
    pub(crate) metadata: Vec<MetadataPlan>,
    pub(crate) span_name: Option<Template>,
    pub(crate) skips_errors: bool,
    pub(crate) clears_route_cache: bool,
    /// Members of the root object that are read or edited.
    pub(crate) names: Vec<String>,
    /// Whether anything reads or writes the body, so that it must be held.
    pub(crate) holds_body: bool,
    /// Whether it does nothing at all.
    pub(crate) is_empty: bool,
    /// The same without the template engine, where that is possible.
    pub(crate) quick: Option<Quick>,
}

/// The name of a message in paths of fields.
pub(crate) fn path(message: Message) -> &'static str {
    match message {
        Message::Request => "request",
        Message::Response => "response",
    }
}

impl Choice {
    /// Compiles the transforms of `message`.
    ///
    /// # Errors
    /// Names the field and says what is wrong with it.
    pub(crate) fn compile(message: Message, mut written: Transform) -> Result<Self, ConfigError> {
        let at = path(message);
        let matches = std::mem::take(&mut written.matches);
        if matches.len() > MAX_ENTRIES {
            return Err(too_many(&format!("{at}.matches")));
        }
        let mut matched = Vec::with_capacity(matches.len());
        for (number, entry) in matches.into_iter().enumerate() {
            let at = format!("{at}.matches[{number}]");
            let condition = Match::compile(&format!("{at}.match"), entry.matcher, message)?;
            matched.push((condition, Plan::compile(format!("{at}.transform"), message, entry.transform)?));
        }
        Ok(Self { matched, otherwise: Plan::compile(at.to_owned(), message, written)? })
    }

    /// The place of the transform for the message whose headers are at hand.
    pub(crate) fn choose(&self, host: &dyn Host, message: Message) -> usize {
        let matched = self.matched.iter().position(|(condition, _)| condition.holds(host, message));
        matched.unwrap_or(self.matched.len())
    }

    /// The transform at that place.
    pub(crate) fn plan(&self, place: usize) -> &Plan {
        self.matched.get(place).map_or(&self.otherwise, |(_, plan)| plan)
    }

    /// All transforms.
    pub(crate) fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.matched.iter().map(|(_, plan)| plan).chain([&self.otherwise])
    }

    /// Whether some message may be held.
    pub(crate) fn holds_bodies(&self) -> bool {
        self.plans().any(|plan| plan.holds_body)
    }

    /// Whether it must be known if the request was HEAD, whose answers have no body.
    pub(crate) fn minds_method(&self) -> bool {
        self.plans().any(|plan| plan.body.is_some() || plan.sets_status())
    }

    /// Whether something asks for the request's header section besides that of the message.
    pub(crate) fn reads_request(&self) -> bool {
        self.matched.iter().any(|(condition, _)| condition.reads_request())
            || self.plans().any(Plan::reads_request)
    }
}

impl Plan {
    /// Whether it sets the status of a response.
    pub(crate) fn sets_status(&self) -> bool {
        self.set.iter().any(|field| field.name == ":status")
    }

    fn compile(at: String, message: Message, written: Transform) -> Result<Self, ConfigError> {
        refuse_what_cannot_be(&at, message, &written)?;
        let escapes = written.escape_characters;
        let (parse_as, body) = body::compile(&at, message, &written, escapes)?;
        let mut plan = Self {
            message,
            parse_as,
            ignores_parse_errors: written.ignore_error_on_parse,
            set: fields::set(&format!("{at}.set"), written.set, message, escapes)?,
            add: fields::add(&format!("{at}.add"), written.add, message, escapes)?,
            remove: fields::removals(&format!("{at}.remove"), &written.remove, message)?,
            metadata: metadata::plans(&format!("{at}.dynamicMetadata"), written.dynamic_metadata, escapes)?,
            span_name: written
                .span_name
                .map(|source| template(format!("{at}.spanName"), &source, escapes))
                .transpose()?,
            extractors: extractors(&at, written.extractors)?,
            body,
            skips_errors: written.error_mode == ErrorMode::Skip,
            clears_route_cache: written.clear_route_cache,
            names: Vec::new(),
            holds_body: false,
            is_empty: false,
            quick: None,
            path: at,
        };
        plan.decide();
        plan.quick = Quick::of(&plan);
        Ok(plan)
    }
}

fn refuse_what_cannot_be(at: &str, message: Message, written: &Transform) -> Result<(), ConfigError> {
    let refuse = |field: &str, reason: &str| Err(ConfigError::new(format!("{at}.{field}"), reason));
    if !written.matches.is_empty() {
        return refuse("matches", "a transform that is matched has no matches of its own");
    }
    if written.clear_route_cache && message == Message::Response {
        return refuse("clearRouteCache", "the route of a response is chosen already");
    }
    if written.body.as_ref().is_some_and(|body| body.decompress) && message == Message::Request {
        return refuse("body.decompress", "only responses can be decompressed");
    }
    Ok(())
}

fn extractors(
    at: &str,
    written: std::collections::BTreeMap<String, crate::config::Extractor>,
) -> Result<Vec<(String, Extractor)>, ConfigError> {
    if written.len() > MAX_ENTRIES {
        return Err(too_many(&format!("{at}.extractors")));
    }
    let compiled = written.into_iter().map(|(name, extractor)| {
        let compiled = Extractor::compile(extractor).map_err(|(field, reason)| {
            let dot = if field.is_empty() { "" } else { "." };
            ConfigError::new(format!("{at}.extractors.{name}{dot}{field}"), reason)
        })?;
        Ok((name, compiled))
    });
    compiled.collect()
}

/// Compiles a template that stands at `path`.
pub(crate) fn template(path: String, source: &str, escapes: bool) -> Result<Template, ConfigError> {
    let compile = if escapes { Template::compile_escaping } else { Template::compile };
    compile(source).map_err(|error| ConfigError::new(path, error.to_string()))
}

fn too_many(path: &str) -> ConfigError {
    ConfigError::new(path, format!("more than {MAX_ENTRIES} entries"))
}
