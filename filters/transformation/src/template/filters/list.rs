//! Filters of lists and maps.

use super::super::access;
use super::super::arguments::Args;
use super::super::error::{Failure, Outcome};
use super::super::meter::Meter;
use super::super::operators;
use super::super::program::Operator;
use super::super::value::Value;

/// The most parts that `batch` and `slice` make.
const MAX_PARTS: usize = 10_000;

pub(super) fn attr<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    access::item(meter, &value, &args.required("name")?)
}

pub(super) fn default<'a>(_: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let other = args.next("default_value").unwrap_or(Value::from(""));
    let also_false = args.flag("boolean");
    let missing = matches!(value, Value::Undefined) || (also_false && !value.is_true());
    Ok(if missing { other } else { value })
}

pub(super) fn length<'a>(meter: &Meter, value: Value<'a>, _: &mut Args<'a>) -> Outcome<Value<'a>> {
    access::length(meter, &value).map(|length| Value::Int(length as i128))
}

pub(super) fn list<'a>(meter: &Meter, value: Value<'a>, _: &mut Args<'a>) -> Outcome<Value<'a>> {
    Value::list(meter, access::items(meter, &value)?)
}

pub(super) fn first<'a>(meter: &Meter, value: Value<'a>, _: &mut Args<'a>) -> Outcome<Value<'a>> {
    if value.is_map() {
        return Ok(access::items(meter, &value)?.into_iter().next().unwrap_or(Value::Undefined));
    }
    end(meter, &value, 0)
}

pub(super) fn last<'a>(meter: &Meter, value: Value<'a>, _: &mut Args<'a>) -> Outcome<Value<'a>> {
    end(meter, &value, -1)
}

fn end<'a>(meter: &Meter, value: &Value<'a>, index: i128) -> Outcome<Value<'a>> {
    if value.as_text().is_some() || value.is_list() || matches!(value, Value::Undefined) {
        return access::item(meter, value, &Value::Int(index));
    }
    Err(Failure::new(format!("{} has no items", value.kind())))
}

pub(super) fn reverse<'a>(meter: &Meter, value: Value<'a>, _: &mut Args<'a>) -> Outcome<Value<'a>> {
    let mut items = access::items(meter, &value)?;
    items.reverse();
    if value.as_text().is_none() {
        return Value::list(meter, items);
    }
    Value::text(meter, items.iter().filter_map(Value::as_text).collect::<String>())
}

pub(super) fn items<'a>(meter: &Meter, value: Value<'a>, _: &mut Args<'a>) -> Outcome<Value<'a>> {
    pair_list(meter, access::pairs(meter, &value)?)
}

fn pair_list<'a>(meter: &Meter, pairs: Vec<(Value<'a>, Value<'a>)>) -> Outcome<Value<'a>> {
    let pairs: Outcome<Vec<_>> =
        pairs.into_iter().map(|(key, value)| Value::list(meter, vec![key, value])).collect();
    Value::list(meter, pairs?)
}

pub(super) fn dictsort<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let by_value = args.named("by").is_some_and(|by| by.as_text() == Some("value"));
    let order = super::pick::Order::from(args);
    let pairs = access::pairs(meter, &value)?;
    let keyed = pairs.into_iter().map(|(key, value)| {
        let by = if by_value { value.clone() } else { key.clone() };
        (by, (key, value))
    });
    let sorted = order.sort(meter, keyed.collect())?;
    pair_list(meter, sorted.into_iter().map(|(_, pair)| pair).collect())
}

pub(super) fn batch<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let size = count(args)?;
    let fill = args.next("fill_with");
    let items = access::items(meter, &value)?;
    let batches: Outcome<Vec<_>> = items
        .chunks(size)
        .map(|chunk| {
            let mut batch = chunk.to_vec();
            if let Some(fill) = &fill {
                meter.charge(size)?;
                batch.resize(size, fill.clone());
            }
            Value::list(meter, batch)
        })
        .collect();
    Value::list(meter, batches?)
}

pub(super) fn slice<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let slices = count(args)?;
    let fill = args.next("fill_with");
    let mut items = access::items(meter, &value)?.into_iter();
    let (each, longer) = (items.len() / slices, items.len() % slices);
    let slices: Outcome<Vec<_>> = (0..slices)
        .map(|number| {
            let is_longer = number < longer;
            let mut slice: Vec<_> = items.by_ref().take(each + usize::from(is_longer)).collect();
            slice.extend(fill.clone().filter(|_| !is_longer));
            Value::list(meter, slice)
        })
        .collect();
    Value::list(meter, slices?)
}

fn count(args: &mut Args<'_>) -> Outcome<usize> {
    let count = args.optional_count("count", MAX_PARTS)?.filter(|count| *count > 0);
    count.ok_or_else(|| Failure::new("`count` is missing or zero"))
}

pub(super) fn sum<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let attribute = args.optional_text(meter, "attribute")?;
    let mut sum = args.next("start").unwrap_or(Value::Int(0));
    for item in access::items(meter, &value)? {
        let item = match &attribute {
            Some(attribute) => super::path(meter, &item, attribute)?,
            None => item,
        };
        if !matches!(item, Value::Undefined) {
            sum = operators::binary(meter, Operator::Add, &sum, &item)?;
        }
    }
    Ok(sum)
}

pub(super) fn chain<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let mut parts = vec![value];
    parts.extend(args.rest());
    if parts.iter().all(Value::is_map) {
        let mut pairs = Vec::new();
        for part in &parts {
            pairs.extend(access::pairs(meter, part)?);
        }
        return Value::map(meter, pairs);
    }
    let mut items = Vec::new();
    for part in &parts {
        items.extend(access::items(meter, part)?);
    }
    Value::list(meter, items)
}

pub(super) fn zip<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let mut columns = vec![access::items(meter, &value)?.into_iter()];
    for other in args.rest() {
        columns.push(access::items(meter, &other)?.into_iter());
    }
    let mut rows = Vec::new();
    while let Some(row) = columns.iter_mut().map(Iterator::next).collect::<Option<Vec<_>>>() {
        rows.push(Value::list(meter, row)?);
    }
    Value::list(meter, rows)
}
