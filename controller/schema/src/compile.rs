//! From a schema as it is written to one that is ready.

use std::collections::{BTreeMap, HashMap};

use regex::Regex;

use crate::cel::{Programs, Rule};
use crate::format::Format;
use crate::path::Path;
use crate::schema::{Bounds, Kind, List, Schema, SchemaError, refused};
use crate::source::{Source, SourceRule};

/// Compiles schemas; a pattern or rule that stands in many places, as those of filters do, is compiled once.
#[derive(Default)]
pub(crate) struct Compiler {
    patterns: HashMap<String, Regex>,
    programs: Programs,
}

impl Compiler {
    /// # Errors
    /// Something is not understood.
    pub(crate) fn compile(&mut self, source: Source, path: Path<'_>) -> Result<Schema, SchemaError> {
        let kind = Kind::of(&source).ok_or_else(|| refused(path, "unknown type"))?;
        let mut schema = Schema {
            kind,
            nullable: source.nullable,
            default: source.default,
            properties: self.properties(source.properties, path)?,
            additional: self.inner(source.additional_properties, path.field("*"))?,
            items: self.inner(source.items, path.item(0))?,
            preserves_unknown: source.preserve_unknown_fields,
            list: List::named(source.list_type.as_deref(), source.list_map_keys, path)?,
            required: source.required,
            values: source.values,
            format: source.format.map(|name| format(&name, path)).transpose()?,
            pattern: source.pattern.map(|pattern| self.pattern(&pattern, path)).transpose()?,
            length: Bounds { least: source.min_length, most: source.max_length },
            size: Bounds { least: source.min_items, most: source.max_items },
            fields: Bounds { least: source.min_properties, most: source.max_properties },
            number: Bounds { least: source.minimum, most: source.maximum },
            all_of: self.assertions(source.all_of, path)?,
            any_of: self.assertions(source.any_of, path)?,
            one_of: self.assertions(source.one_of, path)?,
            not: self.assertions(source.not.into_iter().map(|source| *source), path)?.pop().map(Box::new),
            rules: self.rules(source.rules, path)?,
            has_rules: false,
        };
        schema.has_rules = !schema.rules.is_empty() || schema.below().any(|below| below.has_rules);
        Ok(schema)
    }

    fn properties(
        &mut self,
        sources: BTreeMap<String, Source>,
        path: Path<'_>,
    ) -> Result<BTreeMap<String, Schema>, SchemaError> {
        let compiled = sources.into_iter().map(|(name, source)| {
            let schema = self.compile(source, path.field(&name))?;
            Ok((name, schema))
        });
        compiled.collect()
    }

    fn inner(
        &mut self,
        source: Option<Box<Source>>,
        path: Path<'_>,
    ) -> Result<Option<Box<Schema>>, SchemaError> {
        source.map(|source| self.compile(*source, path).map(Box::new)).transpose()
    }

    /// What stands below `oneOf` and its like may constrain values; it may not give them rules.
    fn assertions(
        &mut self,
        sources: impl IntoIterator<Item = Source>,
        path: Path<'_>,
    ) -> Result<Vec<Schema>, SchemaError> {
        let compiled = sources.into_iter().map(|source| match self.compile(source, path)? {
            schema if schema.has_rules => {
                Err(refused(path, "rules below allOf, anyOf, oneOf or not are not supported"))
            }
            schema => Ok(schema),
        });
        compiled.collect()
    }

    fn rules(&mut self, sources: Vec<SourceRule>, path: Path<'_>) -> Result<Vec<Rule>, SchemaError> {
        let compiled = sources
            .into_iter()
            .map(|source| Rule::compile(source, &mut self.programs).map_err(|reason| refused(path, reason)));
        compiled.collect()
    }

    /// Go's regexp and Rust's agree but for classes such as `\d`, which know only ASCII in Go.
    fn pattern(&mut self, pattern: &str, path: Path<'_>) -> Result<Regex, SchemaError> {
        if let Some(known) = self.patterns.get(pattern) {
            return Ok(known.clone());
        }
        let compiled = Regex::new(pattern).map_err(|error| refused(path, error))?;
        self.patterns.insert(pattern.to_owned(), compiled.clone());
        Ok(compiled)
    }
}

fn format(name: &str, path: Path<'_>) -> Result<Format, SchemaError> {
    Format::named(name).ok_or_else(|| refused(path, format!("unknown format {name}")))
}
