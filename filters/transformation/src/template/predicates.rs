//! Tests (`value is test(arguments)`): MiniJinja's.

use std::cmp::Ordering;

use super::arguments::Args;
use super::error::Outcome;
use super::meter::Meter;
use super::operators::{contains, equal, order};
use super::value::Value;

/// What a test asks.
pub(crate) type Predicate = for<'a> fn(&Meter, &Value<'a>, &mut Args<'a>) -> Outcome<bool>;

/// The test of that name.
pub(crate) fn find(name: &str) -> Option<Predicate> {
    Some(match name {
        "undefined" => |_, value, _| Ok(matches!(value, Value::Undefined)),
        "defined" => |_, value, _| Ok(!matches!(value, Value::Undefined)),
        "none" => |_, value, _| Ok(matches!(value, Value::Null)),
        "true" => |_, value, _| Ok(matches!(value, Value::Bool(true))),
        "false" => |_, value, _| Ok(matches!(value, Value::Bool(false))),
        "boolean" => |_, value, _| Ok(matches!(value, Value::Bool(_))),
        "number" => |_, value, _| Ok(value.is_number() || matches!(value, Value::Bool(_))),
        "integer" | "int" => |_, value, _| Ok(matches!(value, Value::Int(_))),
        "float" => |_, value, _| Ok(matches!(value, Value::Float(_) | Value::Decimal(_))),
        "string" => |_, value, _| Ok(value.as_text().is_some()),
        "safe" | "escaped" => |_, _, _| Ok(false),
        "sequence" => |_, value, _| Ok(value.is_list() || matches!(value, Value::Undefined)),
        "mapping" => |_, value, _| Ok(value.is_map()),
        "iterable" => is_iterable,
        "odd" => |_, value, _| Ok(value.as_int().is_some_and(|value| value % 2 != 0)),
        "even" => |_, value, _| Ok(value.as_int().is_some_and(|value| value % 2 == 0)),
        "divisibleby" => is_divisible_by,
        "startingwith" => is_starting_with,
        "endingwith" => is_ending_with,
        "lower" => |meter, value, _| is_cased(meter, value, str::to_lowercase),
        "upper" => |meter, value, _| is_cased(meter, value, str::to_uppercase),
        "in" => |meter, value, args| contains(meter, &args.required("container")?, value),
        "sameas" => |meter, value, args| {
            let other = args.required("other")?;
            Ok(value.kind() == other.kind() && equal(meter, value, &other)?)
        },
        "eq" | "equalto" | "==" => |meter, value, args| equal(meter, value, &args.required("other")?),
        "ne" | "!=" => |meter, value, args| Ok(!equal(meter, value, &args.required("other")?)?),
        "lt" | "lessthan" | "<" => |meter, value, args| ordered(meter, value, args, Ordering::is_lt),
        "le" | "<=" => |meter, value, args| ordered(meter, value, args, Ordering::is_le),
        "gt" | "greaterthan" | ">" => |meter, value, args| ordered(meter, value, args, Ordering::is_gt),
        "ge" | ">=" => |meter, value, args| ordered(meter, value, args, Ordering::is_ge),
        "filter" => {
            |_, value, _| Ok(value.as_text().is_some_and(|name| super::filters::find(name).is_some()))
        }
        "test" => |_, value, _| Ok(value.as_text().is_some_and(|name| find(name).is_some())),
        _ => return None,
    })
}

fn ordered(
    meter: &Meter,
    value: &Value<'_>,
    args: &mut Args<'_>,
    holds: fn(Ordering) -> bool,
) -> Outcome<bool> {
    order(meter, value, &args.required("other")?).map(holds)
}

fn is_iterable<'a>(_: &Meter, value: &Value<'a>, _: &mut Args<'a>) -> Outcome<bool> {
    Ok(value.is_list() || value.is_map() || matches!(value, Value::Text(_) | Value::Undefined))
}

fn is_divisible_by<'a>(_: &Meter, value: &Value<'a>, args: &mut Args<'a>) -> Outcome<bool> {
    let other = args.required("other")?;
    if let (Some(value), Some(other)) = (value.as_int(), other.as_int()) {
        return Ok(other != 0 && value.wrapping_rem(other) == 0);
    }
    let remainder = value.as_float().zip(other.as_float()).map(|(value, other)| value % other);
    Ok(remainder == Some(0.0))
}

fn is_starting_with<'a>(meter: &Meter, value: &Value<'a>, args: &mut Args<'a>) -> Outcome<bool> {
    Ok(value.to_text(meter)?.starts_with(&*args.text(meter, "other")?))
}

fn is_ending_with<'a>(meter: &Meter, value: &Value<'a>, args: &mut Args<'a>) -> Outcome<bool> {
    Ok(value.to_text(meter)?.ends_with(&*args.text(meter, "other")?))
}

/// Whether nothing changes by a change of case, and something has a case.
fn is_cased(meter: &Meter, value: &Value<'_>, fold: fn(&str) -> String) -> Outcome<bool> {
    let Some(text) = value.as_text() else { return Ok(false) };
    meter.charge_bytes(text.len() * 2)?;
    let has_case = text.chars().any(|letter| letter.is_lowercase() || letter.is_uppercase());
    Ok(has_case && fold(text) == text)
}
