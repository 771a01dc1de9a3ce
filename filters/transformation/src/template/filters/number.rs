//! Filters of numbers.

use super::super::arguments::Args;
use super::super::error::{Failure, Outcome};
use super::super::meter::Meter;
use super::super::value::Value;

pub(super) fn abs<'a>(_: &Meter, value: Value<'a>, _: &mut Args<'a>) -> Outcome<Value<'a>> {
    match value {
        Value::Int(value) => {
            value.checked_abs().map(Value::Int).ok_or_else(|| Failure::new("too large a number"))
        }
        value if value.is_number() => Ok(Value::Float(value.as_float().unwrap_or_default().abs())),
        value => Err(Failure::new(format!("{} has no absolute value", value.kind()))),
    }
}

pub(super) fn bool<'a>(_: &Meter, value: Value<'a>, _: &mut Args<'a>) -> Outcome<Value<'a>> {
    Ok(Value::Bool(value.is_true()))
}

pub(super) fn int<'a>(_: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let default = args.next("default");
    let base = args.optional_int("base")?.unwrap_or(10);
    let base = u32::try_from(base).ok().filter(|base| (2..=36).contains(base));
    let base = base.ok_or_else(|| Failure::new("`base` is not between 2 and 36"))?;
    let converted = match &value {
        Value::Undefined | Value::Null => return Ok(default.unwrap_or(Value::Int(0))),
        Value::Int(_) | Value::Bool(_) => value.as_int(),
        Value::Text(text) => parse_int(text, base).or_else(|| whole(text.parse().ok()?)),
        value => whole(value.as_float().unwrap_or(f64::NAN)),
    };
    let failure = || Failure::new(format!("{} is no integer", value.kind()));
    converted.map(Value::Int).or(default).ok_or_else(failure)
}

fn whole(float: f64) -> Option<i128> {
    (float.abs() < 1e38).then_some(float as i128)
}

fn parse_int(text: &str, base: u32) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefix = match base {
        2 => "0b",
        8 => "0o",
        16 => "0x",
        _ => "",
    };
    let bare = match digits.get(..prefix.len()) {
        Some(start) if start.eq_ignore_ascii_case(prefix) => digits.get(prefix.len()..)?,
        _ => digits,
    };
    let unsigned = !bare.starts_with(['+', '-']);
    unsigned.then(|| i128::from_str_radix(bare, base).ok()).flatten().map(|value| sign * value)
}

pub(super) fn float<'a>(_: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let default = args.next("default");
    let converted = match &value {
        Value::Undefined | Value::Null => return Ok(default.unwrap_or(Value::Float(0.0))),
        Value::Text(text) => text.trim().parse().ok(),
        value => value.as_float(),
    };
    let failure = || Failure::new(format!("{} is no number", value.kind()));
    converted.filter(|float: &f64| float.is_finite()).map(Value::Float).or(default).ok_or_else(failure)
}

pub(super) fn round<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let precision = args.optional_int("precision")?.unwrap_or(0).clamp(-400, 400) as i32;
    let method = args.optional_text(meter, "method")?;
    let method = match method.as_deref().unwrap_or("common") {
        "common" => f64::round_ties_even,
        "ceil" => f64::ceil,
        "floor" => f64::floor,
        _ => return Err(Failure::new("`method` is not common, ceil or floor")),
    };
    match value {
        Value::Int(_) if precision >= 0 => Ok(value),
        Value::Int(exact) => {
            let rounded = scaled(exact as f64, precision, method);
            Ok(whole(rounded).map_or(Value::Float(rounded), Value::Int))
        }
        value if value.is_number() => {
            Ok(Value::Float(scaled(value.as_float().unwrap_or_default(), precision, method)))
        }
        value => Err(Failure::new(format!("{} cannot be rounded", value.kind()))),
    }
}

/// Decimal rounding goes by the decimal digits, not by a product that is off by a hair.
fn scaled(value: f64, precision: i32, method: fn(f64) -> f64) -> f64 {
    let nearest: fn(f64) -> f64 = f64::round_ties_even;
    if precision >= 0 && std::ptr::fn_addr_eq(method, nearest) {
        let digits = usize::try_from(precision).unwrap_or(0);
        return format!("{value:.digits$}").parse().unwrap_or(value);
    }
    let factor = 10f64.powi(precision);
    let rounded = method(value * factor) / factor;
    if rounded.is_finite() { rounded } else { value }
}
