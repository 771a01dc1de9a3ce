use std::collections::BTreeMap;

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use ferrule_json::Document;

/// A message of plain data.
#[derive(Default)]
struct World<'a> {
    body: &'a [u8],
    document: Option<&'a Document<'a>>,
    parsed: bool,
    fields: BTreeMap<&'static str, Vec<&'static [u8]>>,
}

impl<'a> Scope<'a> for World<'a> {
    fn variable(&self, meter: &Meter, name: &str) -> Outcome<Option<Value<'a>>> {
        if !self.parsed {
            return Ok(None);
        }
        let root = self.document.map(Document::root);
        root.map_or(Ok(Value::Undefined), |root| access::json_member(meter, root, name)).map(Some)
    }
    fn context(&self, meter: &Meter) -> Outcome<Value<'a>> {
        self.document.map(Document::root).map_or(Ok(Value::Undefined), |root| Value::json(meter, root))
    }
    fn body(&self) -> &'a [u8] {
        self.body
    }
    fn field(&self, _: Section, name: &str) -> Option<Vec<u8>> {
        self.fields(name).into_iter().next()
    }
    fn fields(&self, name: &str) -> Vec<Vec<u8>> {
        self.fields
            .get(name)
            .map(|values| values.iter().map(|value| value.to_vec()).collect())
            .unwrap_or_default()
    }
    fn cookies(&self) -> Vec<Vec<u8>> {
        self.fields("cookie")
    }
    fn env(&self, name: &str) -> Option<String> {
        (name == "POD_NAME").then(|| "pod-1".to_owned())
    }
    fn attribute(&self, meter: &Meter, name: &str) -> Outcome<Value<'a>> {
        if name == "source.port" { Ok(Value::Int(4711)) } else { Value::text(meter, format!("<{name}>")) }
    }
    fn metadata(&self, meter: &Meter, of: Metadata, namespace: &str, key: &str) -> Outcome<Value<'a>> {
        Value::text(meter, format!("{of:?} {namespace} {key}"))
    }
    fn extraction(&self, _: &Meter, name: &str) -> Outcome<Vec<u8>> {
        Ok(format!("<extraction {name}>").into_bytes())
    }
    fn secret(&self, name: &str) -> Option<Vec<u8>> {
        (name == "token").then(|| b"s3cret".to_vec())
    }
    fn data_source(&self, name: &str) -> Option<&'a str> {
        (name == "motd").then_some("hello")
    }
    fn random(&self, pattern: &str) -> String {
        format!("<random for {pattern}>")
    }
}

fn render_with(
    template: &str,
    json: Option<&str>,
    fields: &[(&'static str, &'static [u8])],
) -> Result<String, String> {
    let template = Template::compile(template).map_err(|error| error.to_string())?;
    let body = json.unwrap_or_default().as_bytes();
    let document =
        json.filter(|json| !json.is_empty()).map(|json| Document::parse(json.as_bytes(), &[]).unwrap());
    let mut world = World { body, document: document.as_ref(), parsed: json.is_some(), ..World::default() };
    for (name, value) in fields {
        world.fields.entry(name).or_default().push(value);
    }
    let rendered = template.render(&world, &Meter::for_body(body.len()), 1 << 20);
    rendered
        .map(|rope| String::from_utf8_lossy(&rope.into_bytes()).into_owned())
        .map_err(|failure| failure.to_string())
}

fn render(template: &str) -> Result<String, String> {
    render_with(template, None, &[])
}

fn render_json(template: &str, json: &str) -> Result<String, String> {
    render_with(template, Some(json), &[])
}

#[track_caller]
fn prints(template: &str, expected: &str) {
    assert_eq!(render(template).as_deref(), Ok(expected), "{template}");
}

#[track_caller]
fn prints_json(template: &str, json: &str, expected: &str) {
    assert_eq!(render_json(template, json).as_deref(), Ok(expected), "{template}");
}

#[track_caller]
fn refuses(template: &str, part: &str) {
    let error = render(template).unwrap_err();
    assert!(error.contains(part), "{template}: {error}");
}

/// What MiniJinja itself makes of a template and a JSON context; our own values print as JSON.
fn minijinja(template: &str, json: &str) -> String {
    fn convert(value: &serde_json::Value) -> minijinja::Value {
        match value {
            serde_json::Value::Null => minijinja::Value::from(()),
            serde_json::Value::Bool(value) => minijinja::Value::from(*value),
            serde_json::Value::Number(value) => match value.as_i64() {
                Some(value) => minijinja::Value::from(value),
                None => minijinja::Value::from(value.as_f64().unwrap()),
            },
            serde_json::Value::String(value) => minijinja::Value::from(value.as_str()),
            serde_json::Value::Array(items) => items.iter().map(convert).collect(),
            serde_json::Value::Object(members) => {
                minijinja::Value::from_pairs(members.iter().map(|(key, value)| (key.clone(), convert(value))))
            }
        }
    }
    let mut environment = minijinja::Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Chainable);
    environment.set_formatter(|out, _, value| {
        match value.kind() {
            minijinja::value::ValueKind::None | minijinja::value::ValueKind::Undefined => Ok(()),
            minijinja::value::ValueKind::Bool => {
                out.write_str(if value.is_true() { "true" } else { "false" })
            }
            _ => out.write_fmt(format_args!("{value}")),
        }
        .map_err(minijinja::Error::from)
    });
    let context = convert(&serde_json::from_str(json).unwrap());
    environment.render_str(template, context).unwrap()
}

mod agreement;
mod bounds;
mod functions;
mod language;
mod refusals;
