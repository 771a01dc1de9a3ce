//! What is done when an exchange is over, for those who log it.

use ferrule_kit::{ConfigError, Host, Message};

use crate::annotation::Annotation;
use crate::config::StreamComplete;
use crate::edits::{MetadataEdit, annotate};
use crate::plan::{MetadataPlan, metadata_plans, uses_of};
use crate::problem::Problem;
use crate::scope::{MessageScope, View};
use crate::stats;
use crate::surroundings::{Surroundings, Use};
use crate::template::{Meter, Template};
use crate::transform::Exchange;

/// Where this stands in the configuration.
const PATH: &str = "onStreamComplete";

/// Templates for the end of an exchange; they see its response.
#[derive(Debug)]
pub(crate) struct Completion {
    metadata: Vec<MetadataPlan>,
}

impl Completion {
    /// Compiles what was written.
    ///
    /// # Errors
    /// Names the field and says what is wrong with it.
    pub(crate) fn compile(written: StreamComplete) -> Result<Self, ConfigError> {
        let path = format!("{PATH}.dynamicMetadata");
        Ok(Self { metadata: metadata_plans(&path, written.dynamic_metadata, false)? })
    }

    /// Renders everything, and sets all of it or nothing.
    pub(crate) fn run(&self, surroundings: &Surroundings, exchange: &mut Exchange, host: &mut dyn Host) {
        match self.render(surroundings, exchange, host) {
            Ok(metadata) => annotate(host, &metadata, None),
            Err(problem) => stats::failed(host, &problem, true),
        }
    }

    fn render<'a>(
        &'a self,
        surroundings: &'a Surroundings,
        exchange: &mut Exchange,
        host: &dyn Host,
    ) -> Result<Vec<MetadataEdit<'a>>, Problem> {
        let view = View::without_body(Message::Response, surroundings);
        let scope = MessageScope::new(host, &mut exchange.pseudonyms, view, None);
        let meter = Meter::for_body(0);
        let annotation = Annotation { scope: &scope, meter: &meter, at: PATH };
        annotation.metadata(&self.metadata)
    }

    /// Whether something asks for the request's header section.
    pub(crate) fn reads_request(&self) -> bool {
        self.templates().iter().any(|(_, template)| template.needs().request)
    }

    /// Names that templates give to `secret()` and `data_source()`.
    pub(crate) fn uses(&self) -> Vec<Use> {
        self.templates().iter().flat_map(|(field, template)| uses_of(field, template)).collect()
    }

    fn templates(&self) -> Vec<(String, &Template)> {
        let metadata = self.metadata.iter().enumerate().map(|(number, entry)| {
            let (template, field) = entry.value.template();
            (format!("{PATH}.dynamicMetadata[{number}].value.{field}"), template)
        });
        metadata.collect()
    }
}
