//! Parts of values: fields, items, slices, iteration.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::error::{Failure, Outcome};
use super::meter::Meter;
use super::value::{Text, Value, same_key};
use ferrule_json::{Kind, Node};

/// `value.name`; below what is missing, all is missing.
pub(crate) fn field<'a>(meter: &Meter, value: &Value<'a>, name: &str) -> Outcome<Value<'a>> {
    match value {
        Value::Json(node) => json_member(meter, *node, name),
        Value::Map(map) => {
            meter.charge(map.len() / 8 + 1)?;
            let found = map.iter().find(|(key, _)| key.as_text() == Some(name));
            Ok(found.map_or(Value::Undefined, |(_, value)| value.clone()))
        }
        Value::Namespace(pairs) => {
            let pairs = pairs.borrow();
            meter.charge(pairs.len() / 8 + 1)?;
            let found = pairs.iter().find(|(key, _)| **key == *name);
            Ok(found.map_or(Value::Undefined, |(_, value)| value.clone()))
        }
        Value::Loop(state) => Ok(state.field(name)),
        _ => Ok(Value::Undefined),
    }
}

/// A member of a JSON object; of equal keys the last one counts.
pub(crate) fn json_member<'a>(meter: &Meter, object: Node<'a>, name: &str) -> Outcome<Value<'a>> {
    meter.charge_skipped(object.text().len())?;
    let found = object.members().filter(|(key, _)| key.is(name)).last().map(|(_, value)| value);
    found.map_or(Ok(Value::Undefined), |node| Value::json(meter, node))
}

/// `value[key]`; negative numbers count from the end.
pub(crate) fn item<'a>(meter: &Meter, value: &Value<'a>, key: &Value<'_>) -> Outcome<Value<'a>> {
    Ok(lookup(meter, value, key)?.unwrap_or(Value::Undefined))
}

/// The item, if there is one.
pub(crate) fn lookup<'a>(meter: &Meter, value: &Value<'a>, key: &Value<'_>) -> Outcome<Option<Value<'a>>> {
    if let Some(name) = key.as_text() {
        let found = field(meter, value, name)?;
        return Ok(Some(found).filter(|found| !matches!(found, Value::Undefined)));
    }
    if let Value::Map(map) = value {
        meter.charge(map.len() / 8 + 1)?;
        return Ok(map.iter().find(|(known, _)| same_key(known, key)).map(|(_, value)| value.clone()));
    }
    let Some(index) = key.as_int() else { return Ok(None) };
    match value {
        Value::List(list) => Ok(place(index, list.len()).and_then(|place| list.get(place)).cloned()),
        Value::Text(text) => {
            meter.charge_bytes(text.len())?;
            let place = place(index, text.chars().count());
            Ok(place.and_then(|place| text.chars().nth(place)).map(character))
        }
        Value::Json(node) => json_element(meter, *node, index),
        _ => Ok(None),
    }
}

fn json_element<'a>(meter: &Meter, array: Node<'a>, index: i128) -> Outcome<Option<Value<'a>>> {
    meter.charge_skipped(array.text().len())?;
    let length = if index < 0 { array.elements().count() } else { usize::MAX };
    let found = place(index, length).and_then(|place| array.elements().nth(place));
    found.map(|node| Value::json(meter, node)).transpose()
}

fn place(index: i128, length: usize) -> Option<usize> {
    let from_start = if index < 0 { index.checked_add(length as i128)? } else { index };
    usize::try_from(from_start).ok()
}

pub(crate) fn character<'a>(character: char) -> Value<'a> {
    Value::Text(Text::Shared(character.encode_utf8(&mut [0; 4]).into()))
}

/// How many items, pairs or characters.
///
/// # Errors
/// It has no length.
pub(crate) fn length(meter: &Meter, value: &Value<'_>) -> Outcome<usize> {
    match value {
        Value::Undefined => Ok(0),
        Value::Text(text) => {
            meter.charge_bytes(text.len())?;
            Ok(text.chars().count())
        }
        Value::Bytes(bytes) => Ok(bytes.len()),
        Value::List(list) => Ok(list.len()),
        Value::Map(map) => Ok(map.len()),
        Value::Json(node) if matches!(node.kind(), Kind::Array) => {
            meter.charge_skipped(node.text().len())?;
            Ok(node.elements().count())
        }
        Value::Json(_) | Value::Namespace(_) => Ok(pairs(meter, value)?.len()),
        other => Err(Failure::new(format!("{} has no length", other.kind()))),
    }
}

/// What a loop goes over: items of lists, keys of maps, nothing where something is missing.
///
/// # Errors
/// It cannot be gone over.
pub(crate) fn items<'a>(meter: &Meter, value: &Value<'a>) -> Outcome<Vec<Value<'a>>> {
    match value {
        Value::Undefined => Ok(Vec::new()),
        Value::List(list) => {
            meter.charge(list.len())?;
            Ok(list.to_vec())
        }
        Value::Json(node) if matches!(node.kind(), Kind::Array) => {
            meter.charge_skipped(node.text().len())?;
            let mut items = Vec::new();
            for element in node.elements() {
                meter.charge(1)?;
                items.push(Value::json(meter, element)?);
            }
            Ok(items)
        }
        Value::Json(_) | Value::Map(_) | Value::Namespace(_) => {
            Ok(pairs(meter, value)?.into_iter().map(|(key, _)| key).collect())
        }
        Value::Text(text) => {
            meter.charge(text.len())?;
            Ok(text.chars().map(character).collect())
        }
        other => Err(Failure::new(format!("{} cannot be gone over", other.kind()))),
    }
}

/// Pairs of a map in order; of equal keys the last value stands in the place of the first.
///
/// # Errors
/// It is no map.
pub(crate) fn pairs<'a>(meter: &Meter, value: &Value<'a>) -> Outcome<Vec<(Value<'a>, Value<'a>)>> {
    match value {
        Value::Map(map) => {
            meter.charge(map.len())?;
            Ok(map.to_vec())
        }
        Value::Namespace(pairs) => {
            let pairs = pairs.borrow();
            meter.charge(pairs.len())?;
            Ok(pairs.iter().map(|(key, value)| (Value::Text(key.clone()), value.clone())).collect())
        }
        Value::Json(node) if matches!(node.kind(), Kind::Object) => json_pairs(meter, *node),
        other => Err(Failure::new(format!("{} has no pairs", other.kind()))),
    }
}

fn json_pairs<'a>(meter: &Meter, object: Node<'a>) -> Outcome<Vec<(Value<'a>, Value<'a>)>> {
    meter.charge_skipped(object.text().len())?;
    let mut places = BTreeMap::new();
    let mut pairs: Vec<(Value<'a>, Value<'a>)> = Vec::new();
    for (key, node) in object.members() {
        meter.charge(2)?;
        let key = key.text().ok_or_else(|| Failure::new("a JSON key holds half of a surrogate pair"))?;
        let value = Value::json(meter, node)?;
        match places.get(&key).and_then(|place: &usize| pairs.get_mut(*place)) {
            Some((_, known)) => *known = value,
            None => {
                places.insert(key.clone(), pairs.len());
                pairs.push((key_value(meter, key)?, value));
            }
        }
    }
    Ok(pairs)
}

fn key_value<'a>(meter: &Meter, key: Cow<'a, str>) -> Outcome<Value<'a>> {
    match key {
        Cow::Borrowed(text) => Ok(Value::from(text)),
        Cow::Owned(text) => Value::text(meter, text),
    }
}

/// `value[start:stop:step]` as Python has it.
pub(crate) fn slice<'a>(meter: &Meter, value: &Value<'a>, bounds: [Value<'a>; 3]) -> Outcome<Value<'a>> {
    if let Value::Undefined | Value::Null = value {
        return Value::list(meter, Vec::new());
    }
    if value.as_text().is_none() && !value.is_list() {
        return Err(Failure::new(format!("{} cannot be sliced", value.kind())));
    }
    let all = items(meter, value)?;
    let chosen = choose(all.len(), bounds)?;
    let chosen: Vec<_> = chosen.into_iter().filter_map(|place| all.get(place).cloned()).collect();
    if value.as_text().is_none() {
        return Value::list(meter, chosen);
    }
    let text: String = chosen.iter().filter_map(Value::as_text).collect();
    Value::text(meter, text)
}

fn choose(length: usize, [start, stop, step]: [Value<'_>; 3]) -> Outcome<Vec<usize>> {
    let length = length as i128;
    let step = bound(&step)?.unwrap_or(1);
    if step == 0 {
        return Err(Failure::new("a slice steps by zero"));
    }
    let (lowest, highest) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let clamp =
        |value: i128| (if value < 0 { value.saturating_add(length) } else { value }).clamp(lowest, highest);
    let (first, last) = if step > 0 { (lowest, highest) } else { (highest, lowest) };
    let mut at = bound(&start)?.map_or(first, clamp);
    let stop = bound(&stop)?.map_or(last, clamp);
    let mut places = Vec::new();
    while if step > 0 { at < stop } else { at > stop } {
        places.extend(usize::try_from(at));
        at = at.saturating_add(step);
    }
    Ok(places)
}

fn bound(value: &Value<'_>) -> Outcome<Option<i128>> {
    match value {
        Value::Null | Value::Undefined => Ok(None),
        value => value.as_int().map(Some).ok_or_else(|| Failure::new("a slice is bounded by integers only")),
    }
}
