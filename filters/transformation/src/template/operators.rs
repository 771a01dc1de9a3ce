//! What operators do, as Python and MiniJinja have it.

use std::cmp::Ordering;

use super::access::{items, length, pairs};
use super::error::{Failure, Outcome};
use super::meter::Meter;
use super::program::Operator;
use super::value::Value;

/// `a operator b`.
pub(crate) fn binary<'a>(
    meter: &Meter,
    operator: Operator,
    a: &Value<'a>,
    b: &Value<'a>,
) -> Outcome<Value<'a>> {
    match (operator, a, b) {
        (Operator::Concat, a, b) => concat(meter, a, b),
        (Operator::Add, Value::Text(_), Value::Text(_)) => concat(meter, a, b),
        (Operator::Add, a, b) if a.is_list() && b.is_list() => {
            let mut all = items(meter, a)?;
            all.extend(items(meter, b)?);
            Value::list(meter, all)
        }
        (Operator::Multiply, Value::Text(text), times) | (Operator::Multiply, times, Value::Text(text)) => {
            let times = count(times)?;
            meter.charge_bytes(text.len().saturating_mul(times))?;
            Value::text(meter, text.repeat(times))
        }
        (Operator::Multiply, list, times) | (Operator::Multiply, times, list) if list.is_list() => {
            repeat(meter, list, count(times)?)
        }
        (operator, a, b) => arithmetic(operator, a, b),
    }
}

/// The texts of both, one after the other.
fn concat<'a>(meter: &Meter, a: &Value<'a>, b: &Value<'a>) -> Outcome<Value<'a>> {
    let (a, b) = (a.to_text(meter)?, b.to_text(meter)?);
    meter.charge_bytes(a.len() + b.len())?;
    Value::text(meter, [&*a, &*b].concat())
}

fn repeat<'a>(meter: &Meter, list: &Value<'a>, times: usize) -> Outcome<Value<'a>> {
    let once = items(meter, list)?;
    meter.charge(once.len().saturating_mul(times))?;
    Value::list(meter, once.iter().cloned().cycle().take(once.len() * times).collect())
}

/// How often; negative is never.
fn count(value: &Value<'_>) -> Outcome<usize> {
    let times =
        value.as_int().ok_or_else(|| Failure::new("texts and lists are repeated by integers only"))?;
    usize::try_from(times.max(0)).map_err(|_| Failure::bound("too many repetitions"))
}

fn arithmetic<'a>(operator: Operator, a: &Value<'a>, b: &Value<'a>) -> Outcome<Value<'a>> {
    let whole = |value: &Value<'_>| matches!(value, Value::Int(_) | Value::Bool(_));
    if let (true, Some(x), Some(y)) = (whole(a) && whole(b), a.as_int(), b.as_int()) {
        return integers(operator, x, y);
    }
    match (a.as_float(), b.as_float()) {
        (Some(x), Some(y)) => floats(operator, x, y).map(Value::Float),
        _ => Err(Failure::new(format!("cannot calculate with {} and {}", a.kind(), b.kind()))),
    }
}

fn integers<'a>(operator: Operator, a: i128, b: i128) -> Outcome<Value<'a>> {
    let value = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::FloorDivide => floor_divide(a, b),
        Operator::Remainder => (b != 0).then(|| floor_remainder(a, b)),
        Operator::Power if b >= 0 => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        Operator::Power | Operator::Divide | Operator::Concat => {
            return floats(operator, a as f64, b as f64).map(Value::Float);
        }
    };
    value.map(Value::Int).ok_or_else(|| Failure::new("a calculation has no result, or a too large one"))
}

/// Rounds towards negative infinity.
fn floor_divide(a: i128, b: i128) -> Option<i128> {
    let quotient = a.checked_div(b)?;
    Some(if floor_remainder(a, b) == a.wrapping_rem(b) { quotient } else { quotient - 1 })
}

/// Has the sign of `b`, which is not zero.
fn floor_remainder(a: i128, b: i128) -> i128 {
    let remainder = a.wrapping_rem(b);
    if remainder != 0 && (remainder < 0) != (b < 0) { remainder + b } else { remainder }
}

fn floats(operator: Operator, a: f64, b: f64) -> Outcome<f64> {
    let divides = matches!(operator, Operator::Divide | Operator::FloorDivide | Operator::Remainder);
    if divides && b == 0.0 {
        return Err(Failure::new("division by zero"));
    }
    let value = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        Operator::FloorDivide => (a / b).floor(),
        Operator::Remainder => a - b * (a / b).floor(),
        Operator::Power => a.powf(b),
        Operator::Concat => return Err(Failure::new("numbers are not concatenated")),
    };
    if value.is_finite() { Ok(value) } else { Err(Failure::new("a calculation has no finite result")) }
}

/// `-value`.
pub(crate) fn negate<'a>(value: &Value<'a>) -> Outcome<Value<'a>> {
    match value {
        Value::Int(value) => {
            value.checked_neg().map(Value::Int).ok_or_else(|| Failure::new("too large a number"))
        }
        Value::Float(_) | Value::Decimal(_) => Ok(Value::Float(-value.as_float().unwrap_or_default())),
        value => Err(Failure::new(format!("{} cannot be negated", value.kind()))),
    }
}

/// `a == b`.
pub(crate) fn equal(meter: &Meter, a: &Value<'_>, b: &Value<'_>) -> Outcome<bool> {
    Ok(match (a, b) {
        (a, b) if a.is_map() && b.is_map() => equal_maps(meter, a, b)?,
        (Value::Undefined | Value::Null, Value::Undefined | Value::Null) => a.kind() == b.kind(),
        (a, b) => kind_rank(a) == kind_rank(b) && order(meter, a, b)? == Ordering::Equal,
    })
}

fn equal_maps(meter: &Meter, a: &Value<'_>, b: &Value<'_>) -> Outcome<bool> {
    if length(meter, a)? != length(meter, b)? {
        return Ok(false);
    }
    for (key, value) in pairs(meter, a)? {
        let other = super::access::item(meter, b, &key)?;
        if matches!(other, Value::Undefined) || !meter.deeper(|| equal(meter, &value, &other))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A total order: by kind, then by worth; maps by their pairs in order.
pub(crate) fn order(meter: &Meter, a: &Value<'_>, b: &Value<'_>) -> Outcome<Ordering> {
    meter.charge(1)?;
    Ok(match (a, b) {
        (Value::Text(a), Value::Text(b)) => {
            meter.charge_bytes(a.len().min(b.len()))?;
            (**a).cmp(&**b)
        }
        (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (a, b) if kind_rank(a) != kind_rank(b) => kind_rank(a).cmp(&kind_rank(b)),
        (a, b) if a.is_list() => order_all(meter, items(meter, a)?, items(meter, b)?)?,
        (a, b) if a.is_map() => order_all(meter, flat(meter, a)?, flat(meter, b)?)?,
        (a, b) => match (a.as_float(), b.as_float()) {
            (Some(a), Some(b)) => a.partial_cmp(&b).unwrap_or_else(|| a.total_cmp(&b)),
            _ => Ordering::Equal,
        },
    })
}

fn order_all(meter: &Meter, a: Vec<Value<'_>>, b: Vec<Value<'_>>) -> Outcome<Ordering> {
    for (a, b) in a.iter().zip(&b) {
        let ordering = meter.deeper(|| order(meter, a, b))?;
        if ordering != Ordering::Equal {
            return Ok(ordering);
        }
    }
    Ok(a.len().cmp(&b.len()))
}

fn flat<'a>(meter: &Meter, map: &Value<'a>) -> Outcome<Vec<Value<'a>>> {
    Ok(pairs(meter, map)?.into_iter().flat_map(|(key, value)| [key, value]).collect())
}

/// `needle in haystack`.
pub(crate) fn contains(meter: &Meter, haystack: &Value<'_>, needle: &Value<'_>) -> Outcome<bool> {
    match haystack {
        Value::Undefined => Ok(false),
        Value::Text(text) => {
            let needle = needle.to_text(meter)?;
            meter.charge_bytes(text.len())?;
            Ok(text.contains(&*needle))
        }
        list if list.is_list() => {
            for item in items(meter, list)? {
                if equal(meter, &item, needle)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        map if map.is_map() => {
            let found = super::access::lookup(meter, map, needle)?;
            Ok(found.is_some())
        }
        other => Err(Failure::new(format!("{} contains nothing", other.kind()))),
    }
}

/// Numbers and truth values are of one kind, as in Python.
fn kind_rank(value: &Value<'_>) -> u8 {
    match value {
        Value::Undefined => 0,
        Value::Null => 1,
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Decimal(_) => 2,
        Value::Text(_) => 3,
        Value::Bytes(_) => 4,
        list if list.is_list() => 5,
        map if map.is_map() => 6,
        Value::Loop(_) => 7,
        _ => 8,
    }
}
