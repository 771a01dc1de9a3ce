//! What a plan reads, and whether its message must be held for it.

use super::{BodyPlan, Plan};
use crate::config::ParseAs;
use crate::extractor::Source as Searched;
use crate::merge::LeafValue;
use crate::surroundings::Use;
use crate::template::{Needs, Source, Template};

/// Why a message is held until its body is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The field concerned, from the configuration's root.
    pub field: String,
    /// What it does with the body.
    pub because: String,
}

impl Plan {
    /// Decides what is read and whether the body is held; known once all templates are.
    pub(super) fn decide(&mut self) {
        let templates = self.templates();
        let mut names: Vec<String> = Vec::new();
        let all = templates.iter().flat_map(|(_, template)| template.needs().variables.iter().cloned());
        all.for_each(|name| add(&mut names, name));
        if let Some(BodyPlan::Merge(merge)) = &self.body {
            merge.roots().for_each(|name| add(&mut names, name.to_owned()));
        }
        let (holds_body, is_empty) = (!self.reasons().is_empty(), self.does_nothing());
        (self.names, self.holds_body, self.is_empty) = (names, holds_body, is_empty);
    }

    /// Why the body is held; nothing if it is not.
    pub(crate) fn reasons(&self) -> Vec<Reason> {
        if self.parse_as == ParseAs::None {
            return Vec::new();
        }
        let replaced = self.body.as_ref().map(|body| match body {
            BodyPlan::Template(_) => ("body.value", "replaces the body"),
            BodyPlan::Merge(_) if self.merges_extractions() => ("mergeExtractorsToBody", "edits the body"),
            BodyPlan::Merge(_) => ("mergeJson", "edits the body"),
            BodyPlan::Wrap { .. } => ("headerBodyTransform", "replaces the body"),
        });
        let replaced = replaced.map(|(field, because)| Reason {
            field: format!("{}.{field}", self.path),
            because: because.to_owned(),
        });
        let read = self.templates().into_iter().filter_map(|(field, template)| {
            let because = self.reads_body(template.needs())?;
            Some(Reason { field, because })
        });
        replaced.into_iter().chain(read).collect()
    }

    fn reads_body(&self, needs: &Needs) -> Option<String> {
        let json = self.parse_as == ParseAs::AsJson;
        let searches = |name: &Option<String>| {
            self.extractors.iter().any(|(known, extractor)| {
                extractor.source == Searched::Body && name.as_ref().is_none_or(|name| name == known)
            })
        };
        if needs.body {
            return Some("reads body()".to_owned());
        }
        if json && needs.context {
            return Some("reads context()".to_owned());
        }
        if let Some(variable) = needs.variables.first().filter(|_| json) {
            return Some(format!("reads the member `{variable}` of the JSON body"));
        }
        let mut named = needs.named.iter().filter(|(source, _)| *source == Source::Extractor);
        named.find(|(_, name)| searches(name)).map(|(_, name)| match name {
            Some(name) => format!("reads the extractor `{name}`, which searches the body"),
            None => "reads extractors, one of which searches the body".to_owned(),
        })
    }

    fn merges_extractions(&self) -> bool {
        let Some(BodyPlan::Merge(merge)) = &self.body else { return false };
        merge.leaves.iter().all(|leaf| matches!(leaf.value, LeafValue::Extraction(_)))
    }

    fn does_nothing(&self) -> bool {
        let edits = self.set.len() + self.add.len() + self.remove.len() + self.metadata.len();
        edits == 0 && self.body.is_none() && self.span_name.is_none() && !self.clears_route_cache
    }

    /// Whether something asks for the request's header section besides that of the message.
    pub(super) fn reads_request(&self) -> bool {
        self.templates().iter().any(|(_, template)| template.needs().request)
    }

    /// Names that templates give to `secret()` and `data_source()`.
    pub(crate) fn uses(&self) -> Vec<Use> {
        let templates = self.templates();
        let uses = templates.iter().flat_map(|(field, template)| uses_of(field, template));
        uses.collect()
    }

    /// All templates with their fields.
    fn templates(&self) -> Vec<(String, &Template)> {
        let at = &self.path;
        let mut templates = Vec::new();
        for (list, fields) in [("set", &self.set), ("add", &self.add)] {
            let numbered = fields.iter().enumerate();
            templates.extend(numbered.filter_map(|(number, field)| {
                Some((format!("{at}.{list}[{number}].value"), field.value.as_ref()?))
            }));
        }
        match &self.body {
            Some(BodyPlan::Template(template)) => templates.push((format!("{at}.body.value"), template)),
            Some(BodyPlan::Merge(merge)) => {
                templates.extend(merge.leaves.iter().filter_map(|leaf| match &leaf.value {
                    LeafValue::Template { template, .. } => {
                        Some((format!("{at}.mergeJson.{}.template", leaf.path), template))
                    }
                    LeafValue::Extraction(_) => None,
                }));
            }
            Some(BodyPlan::Wrap { .. }) | None => {}
        }
        for (number, entry) in self.metadata.iter().enumerate() {
            let (template, field) = entry.value.template();
            templates.push((format!("{at}.dynamicMetadata[{number}].value.{field}"), template));
        }
        templates.extend(self.span_name.iter().map(|template| (format!("{at}.spanName"), template)));
        templates
    }
}

/// Names that a template at `field` gives to `secret()` and `data_source()`.
pub(crate) fn uses_of(field: &str, template: &Template) -> Vec<Use> {
    let named = template.needs().named.iter().filter(|(source, _)| *source != Source::Extractor);
    let named = named.filter_map(|(source, name)| {
        Some(Use { field: field.to_owned(), source: *source, name: name.clone()? })
    });
    named.collect()
}

fn add(names: &mut Vec<String>, name: String) {
    if !names.contains(&name) {
        names.push(name);
    }
}
