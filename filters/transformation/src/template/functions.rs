//! Functions (`name(arguments)`): what a template can ask of its message and its proxy, and what it can do to texts.
//!
//! Invariant: a function sees the world through [`Scope`] alone.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::access;
use super::arguments::Args;
use super::error::{Failure, Outcome};
use super::filters;
use super::meter::Meter;
use super::print::Sink;
use super::value::{Text, Value};
use ferrule_json::write_string;

/// What a render sees of its message and its proxy.
pub(crate) trait Scope<'a> {
    /// A member of the message's JSON object, undefined if there is none; nothing at all if no JSON was parsed.
    fn variable(&self, meter: &Meter, name: &str) -> Outcome<Option<Value<'a>>>;
    /// The root of the message's JSON; undefined if none was parsed.
    fn context(&self, meter: &Meter) -> Outcome<Value<'a>>;
    /// The message's body.
    fn body(&self) -> &'a [u8];
    /// The first field of that name in `section`.
    fn field(&self, section: Section, name: &str) -> Option<Vec<u8>>;
    /// Writes the first field of that name in `section`.
    fn print_field(&self, section: Section, name: &str, out: &mut Sink<'a, '_>) -> Outcome<()> {
        out.write(&self.field(section, name).unwrap_or_default())
    }
    /// All fields of that name of the message being transformed.
    fn fields(&self, name: &str) -> Vec<Vec<u8>>;
    /// The request's cookie lines.
    fn cookies(&self) -> Vec<Vec<u8>>;
    /// An environment variable, if templates may see it.
    fn env(&self, name: &str) -> Option<String>;
    /// An Envoy attribute.
    fn attribute(&self, meter: &Meter, name: &str) -> Outcome<Value<'a>>;
    /// One key of metadata.
    fn metadata(&self, meter: &Meter, of: Metadata, namespace: &str, key: &str) -> Outcome<Value<'a>>;
    /// What the extractor of that name finds; nothing if there is none.
    fn extraction(&self, meter: &Meter, name: &str) -> Outcome<Vec<u8>>;
    /// The secret that is called so here; none if it is not known or has not come.
    fn secret(&self, name: &str) -> Option<Vec<u8>>;
    /// The text that is called so here.
    fn data_source(&self, name: &str) -> Option<&'a str>;
    /// What stands for `pattern` throughout this request: 22 unpredictable characters.
    fn random(&self, pattern: &str) -> String;
}

/// Whose header fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// Of the message being transformed.
    Message,
    /// Of the request.
    Request,
}

/// Whose metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metadata {
    /// Of the stream.
    Dynamic,
    /// Of the selected cluster.
    Cluster,
    /// Of the selected upstream host.
    Host,
}

/// Where metadata is looked for when a template names no namespace: where Gloo's filter looked.
const DEFAULT_NAMESPACE: &str = "io.solo.transformation";

/// What a function does.
pub(crate) type Function = for<'a> fn(&dyn Scope<'a>, &Meter, &mut Args<'a>) -> Outcome<Value<'a>>;

/// What calling a function reads besides its arguments and the header section of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    Nothing,
    Body,
    Json,
    /// The header section of the request.
    Request,
    /// What its first argument names.
    Named(Source),
}

/// What the configuration gives names to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Extractor,
    Secret,
    Data,
}

/// The function of that name and what it reads.
pub(crate) fn find(name: &str) -> Option<(Function, Reads)> {
    let function: Function = match name {
        "attribute" => |scope, meter, args| scope.attribute(meter, &args.text(meter, "name")?),
        "base64_decode" => |_, meter, args| decode(meter, args, &BASE64),
        "base64_encode" => |_, meter, args| encode(meter, args, &BASE64),
        "base64url_decode" => |_, meter, args| decode(meter, args, &BASE64URL),
        "base64url_encode" => |_, meter, args| encode(meter, args, &BASE64URL),
        "body" => body,
        "cluster_metadata" => |scope, meter, args| metadata(scope, meter, args, Metadata::Cluster),
        "context" => |scope, meter, _| scope.context(meter),
        "data_source" => data_source,
        "dict" => dict,
        "dynamic_metadata" => |scope, meter, args| metadata(scope, meter, args, Metadata::Dynamic),
        "env" => env,
        "extraction" => {
            |scope, meter, args| Value::octets(meter, scope.extraction(meter, &args.text(meter, "name")?)?)
        }
        "get_cookie" => |scope, meter, args| cookie(scope, meter, args, |known, name| known == name),
        "get_cookie_i" => |scope, meter, args| cookie(scope, meter, args, str::eq_ignore_ascii_case),
        "header" => |scope, meter, args| field(scope, meter, args, Section::Message),
        "headers" => fields,
        "host_metadata" => |scope, meter, args| metadata(scope, meter, args, Metadata::Host),
        "namespace" => namespace,
        "range" => range,
        "raw_string" => raw_string,
        "replace_with_random" => replace_with_random,
        "replace_with_string" => replace_with_string,
        "request_header" => |scope, meter, args| field(scope, meter, args, Section::Request),
        "secret" => secret,
        "substring" => substring,
        "trim" => trim,
        "word_count" => word_count,
        _ => return None,
    };
    let reads = match name {
        "body" => Reads::Body,
        "context" => Reads::Json,
        "attribute" | "get_cookie" | "get_cookie_i" | "request_header" => Reads::Request,
        "extraction" => Reads::Named(Source::Extractor),
        "secret" => Reads::Named(Source::Secret),
        "data_source" => Reads::Named(Source::Data),
        _ => Reads::Nothing,
    };
    Some((function, reads))
}

fn body<'a>(scope: &dyn Scope<'a>, _: &Meter, _: &mut Args<'a>) -> Outcome<Value<'a>> {
    Ok(match std::str::from_utf8(scope.body()) {
        Ok(text) => Value::from(text),
        Err(_) => Value::Bytes(scope.body().into()),
    })
}

fn secret<'a>(scope: &dyn Scope<'a>, meter: &Meter, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let secret = scope.secret(&args.text(meter, "name")?);
    // A message without the secret that it needs must not go on.
    Value::octets(meter, secret.ok_or_else(|| Failure::new("the secret is not known or has not come"))?)
}

fn data_source<'a>(scope: &dyn Scope<'a>, meter: &Meter, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let source = scope.data_source(&args.text(meter, "name")?);
    source.map(Value::from).ok_or_else(|| Failure::new("there is no data source of that name"))
}

fn field<'a>(scope: &dyn Scope<'a>, meter: &Meter, args: &mut Args<'a>, of: Section) -> Outcome<Value<'a>> {
    let name = args.text(meter, "name")?;
    Value::octets(meter, scope.field(of, &name).unwrap_or_default())
}

fn fields<'a>(scope: &dyn Scope<'a>, meter: &Meter, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let name = args.text(meter, "name")?;
    let values: Outcome<_> =
        scope.fields(&name).into_iter().map(|value| Value::octets(meter, value)).collect();
    Value::list(meter, values?)
}

fn env<'a>(scope: &dyn Scope<'a>, meter: &Meter, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let value = scope.env(&args.text(meter, "name")?);
    Value::text(meter, value.unwrap_or_default())
}

fn metadata<'a>(
    scope: &dyn Scope<'a>,
    meter: &Meter,
    args: &mut Args<'a>,
    of: Metadata,
) -> Outcome<Value<'a>> {
    let key = args.text(meter, "key")?;
    let namespace = args.optional_text(meter, "namespace")?;
    scope.metadata(meter, of, namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE), &key)
}

/// RFC 6265 §4.2.1: pairs separated by semicolons, in one line or (HTTP/2) several.
fn cookie<'a>(
    scope: &dyn Scope<'a>,
    meter: &Meter,
    args: &mut Args<'a>,
    is: fn(&str, &str) -> bool,
) -> Outcome<Value<'a>> {
    let name = args.text(meter, "name")?;
    for line in scope.cookies() {
        meter.charge_bytes(line.len())?;
        let line = String::from_utf8_lossy(&line);
        let pairs = line.split(';').filter_map(|pair| pair.trim().split_once('='));
        if let Some((_, value)) = pairs.into_iter().find(|(known, _)| is(known.trim_end(), &name)) {
            return Value::text(meter, unquoted(value.trim_start()));
        }
    }
    Ok(Value::from(""))
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

const EITHER_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, EITHER_PADDING);
const BASE64URL: GeneralPurpose =
    GeneralPurpose::new(&alphabet::URL_SAFE, EITHER_PADDING.with_encode_padding(false));

fn encode<'a>(meter: &Meter, args: &mut Args<'a>, engine: &GeneralPurpose) -> Outcome<Value<'a>> {
    let value = args.required("value")?;
    if let Value::Bytes(bytes) = &value {
        meter.charge_bytes(bytes.len())?;
        return Value::text(meter, engine.encode(bytes));
    }
    let text = value.to_text(meter)?;
    meter.charge_bytes(text.len())?;
    Value::text(meter, engine.encode(text.as_bytes()))
}

fn decode<'a>(meter: &Meter, args: &mut Args<'a>, engine: &GeneralPurpose) -> Outcome<Value<'a>> {
    let text = args.text(meter, "value")?;
    meter.charge_bytes(text.len())?;
    Value::octets(meter, engine.decode(text.as_bytes()).unwrap_or_default())
}

fn trim<'a>(_: &dyn Scope<'a>, meter: &Meter, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    Value::text(meter, args.text(meter, "value")?.trim())
}

fn substring<'a>(_: &dyn Scope<'a>, meter: &Meter, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let text = args.text(meter, "value")?;
    let start = args.optional_int("start")?.ok_or_else(|| Failure::new("the argument `start` is missing"))?;
    let length = args
        .optional_int("len")?
        .and_then(|length| usize::try_from(length).ok())
        .filter(|length| *length > 0);
    meter.charge_bytes(text.len())?;
    let Ok(start) = usize::try_from(start) else { return Ok(Value::from("")) };
    let part: String = text.chars().skip(start).take(length.unwrap_or(usize::MAX)).collect();
    Value::text(meter, part)
}

fn replace_with_random<'a>(scope: &dyn Scope<'a>, meter: &Meter, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let (text, pattern) = (args.text(meter, "value")?, args.text(meter, "pattern")?);
    meter.charge_bytes(pattern.len())?;
    filters::replaced(meter, &text, &pattern, &scope.random(&pattern))
}

fn replace_with_string<'a>(_: &dyn Scope<'a>, meter: &Meter, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let (text, pattern) = (args.text(meter, "value")?, args.text(meter, "pattern")?);
    filters::replaced(meter, &text, &pattern, &args.text(meter, "by")?)
}

/// What `escapeCharacters` makes of a value that is printed.
pub(crate) fn escaped<'a>(scope: &dyn Scope<'a>, meter: &Meter, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    match &args.positional[..] {
        [Value::Text(_)] => raw_string(scope, meter, args),
        _ => args.required("value"),
    }
}

fn raw_string<'a>(_: &dyn Scope<'a>, meter: &Meter, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let text = args.text(meter, "value")?;
    meter.charge_bytes(text.len())?;
    let mut escaped = Vec::with_capacity(text.len());
    write_string(&text, &mut escaped);
    Value::octets(meter, escaped)
}

/// Words of a text, items of a list or map; nothing has none.
fn word_count<'a>(_: &dyn Scope<'a>, meter: &Meter, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let value = args.required("value")?;
    let count = match &value {
        Value::Text(text) => {
            meter.charge_bytes(text.len())?;
            text.split_whitespace().count()
        }
        Value::Null | Value::Undefined => 0,
        value if value.is_list() || value.is_map() => access::length(meter, value)?,
        _ => 1,
    };
    Ok(Value::Int(count as i128))
}

/// The most numbers of a `range`, as in MiniJinja.
const MAX_RANGE: usize = 100_000;

fn range<'a>(_: &dyn Scope<'a>, meter: &Meter, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let first = args.optional_int("lower")?.ok_or_else(|| Failure::new("the argument `lower` is missing"))?;
    let (lower, upper) = match args.optional_int("upper")? {
        Some(upper) => (first, upper),
        None => (0, first),
    };
    let step = args.optional_int("step")?.unwrap_or(1);
    if step == 0 {
        return Err(Failure::new("a range steps by zero"));
    }
    let next = |at: &i128| at.checked_add(step);
    let inside = |at: &i128| if step > 0 { *at < upper } else { *at > upper };
    let numbers = std::iter::successors(Some(lower), next).take_while(inside).take(MAX_RANGE + 1);
    let numbers: Vec<_> = numbers.map(Value::Int).collect();
    if numbers.len() > MAX_RANGE {
        return Err(Failure::bound("a range is too long"));
    }
    Value::list(meter, numbers)
}

fn dict<'a>(_: &dyn Scope<'a>, meter: &Meter, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    Value::map(meter, fields_given(meter, args)?)
}

fn namespace<'a>(_: &dyn Scope<'a>, meter: &Meter, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let mut pairs: Vec<(Text<'a>, Value<'a>)> = Vec::new();
    for (key, value) in fields_given(meter, args)? {
        if !value.is_plain() {
            return Err(Failure::new(format!("a namespace cannot hold {}", value.kind())));
        }
        pairs.push((key.to_text(meter)?, value));
    }
    Ok(Value::Namespace(std::rc::Rc::new(std::cell::RefCell::new(pairs))))
}

/// Pairs of the map that is given, if one is, then those given by name.
fn fields_given<'a>(meter: &Meter, args: &mut Args<'a>) -> Outcome<Vec<(Value<'a>, Value<'a>)>> {
    let mut pairs = match args.next("value") {
        None | Some(Value::Undefined) => Vec::new(),
        Some(map) => access::pairs(meter, &map)?,
    };
    pairs.extend(args.named.drain(..).map(|(name, value)| (Value::Text(name), value)));
    Ok(pairs)
}
