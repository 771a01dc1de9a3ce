//! Filters that choose, order or map the items of a list.

use std::cmp::Ordering;

use super::super::access::items;
use super::super::arguments::Args;
use super::super::error::{Failure, Outcome};
use super::super::meter::Meter;
use super::super::operators;
use super::super::predicates;
use super::super::value::{Text, Value};

/// How items are put in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    case_sensitive: bool,
    reverse: bool,
}

impl Order {
    pub(super) fn from(args: &mut Args<'_>) -> Self {
        Self { case_sensitive: args.named_flag("case_sensitive"), reverse: args.named_flag("reverse") }
    }

    /// Sorts by the first of each pair, stably.
    pub(super) fn sort<'a, T>(
        self,
        meter: &Meter,
        keyed: Vec<(Value<'a>, T)>,
    ) -> Outcome<Vec<(Value<'a>, T)>> {
        meter.charge(keyed.len().saturating_mul(keyed.len().max(1).ilog2() as usize + 1))?;
        let mut keyed: Vec<_> = keyed
            .into_iter()
            .map(|(key, item)| Ok((self.folded(meter, key)?, item)))
            .collect::<Outcome<_>>()?;
        let mut failure = None;
        keyed.sort_by(|(a, _), (b, _)| match operators::order(meter, a, b) {
            _ if failure.is_some() => Ordering::Equal,
            Ok(ordering) if self.reverse => ordering.reverse(),
            Ok(ordering) => ordering,
            Err(error) => {
                failure = Some(error);
                Ordering::Equal
            }
        });
        failure.map_or(Ok(keyed), Err)
    }

    fn folded<'a>(self, meter: &Meter, key: Value<'a>) -> Outcome<Value<'a>> {
        match key.as_text() {
            Some(text) if !self.case_sensitive => Value::text(meter, text.to_lowercase()),
            _ => Ok(key),
        }
    }
}

/// Each item with what `attribute` names of it, or with itself.
fn keyed<'a>(
    meter: &Meter,
    value: &Value<'a>,
    attribute: Option<Text<'a>>,
) -> Outcome<Vec<(Value<'a>, Value<'a>)>> {
    let key = |item: &Value<'a>| match &attribute {
        Some(attribute) => super::path(meter, item, attribute),
        None => Ok(item.clone()),
    };
    items(meter, value)?.into_iter().map(|item| Ok((key(&item)?, item))).collect()
}

fn attribute<'a>(meter: &Meter, args: &mut Args<'a>) -> Outcome<Option<Text<'a>>> {
    args.named("attribute").map(|name| name.to_text(meter)).transpose()
}

pub(super) fn sort<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let order = Order::from(args);
    let attribute = attribute(meter, args)?;
    let names = attribute.as_deref().unwrap_or_default().to_owned();
    let mut keyed = keyed(meter, &value, attribute.filter(|names| !names.contains(',')))?;
    // The last of several attributes is sorted by first, because sorting keeps the order of equals.
    for name in names.rsplit(',').filter(|_| names.contains(',')).map(str::trim) {
        for (key, item) in &mut keyed {
            *key = super::path(meter, item, name)?;
        }
        keyed = order.sort(meter, keyed)?;
    }
    if !names.contains(',') {
        keyed = order.sort(meter, keyed)?;
    }
    Value::list(meter, keyed.into_iter().map(|(_, item)| item).collect())
}

pub(super) fn min<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    Ok(extremes(meter, &value, args)?.into_iter().next().unwrap_or(Value::Undefined))
}

pub(super) fn max<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    Ok(extremes(meter, &value, args)?.pop().unwrap_or(Value::Undefined))
}

fn extremes<'a>(meter: &Meter, value: &Value<'a>, args: &mut Args<'a>) -> Outcome<Vec<Value<'a>>> {
    let order = Order::from(args);
    let keyed = keyed(meter, value, attribute(meter, args)?)?;
    Ok(order.sort(meter, keyed)?.into_iter().map(|(_, item)| item).collect())
}

pub(super) fn unique<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let order = Order::from(args);
    let keyed = keyed(meter, &value, attribute(meter, args)?)?;
    let numbered = keyed.into_iter().enumerate().map(|(place, (key, item))| (key, (place, item)));
    let mut sorted = order.sort(meter, numbered.collect())?;
    let mut kept: Vec<(usize, Value<'a>)> = Vec::new();
    let mut last: Option<Value<'a>> = None;
    for (key, item) in sorted.drain(..) {
        let known = last.as_ref().map_or(Ok(false), |last| operators::equal(meter, last, &key))?;
        if !known {
            kept.push(item);
            last = Some(key);
        }
    }
    kept.sort_by_key(|(place, _)| *place);
    Value::list(meter, kept.into_iter().map(|(_, item)| item).collect())
}

pub(super) fn groupby<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let attribute = args.text(meter, "attribute")?;
    let (order, default) = (Order::from(args), args.named("default"));
    let mut keyed = keyed(meter, &value, Some(attribute))?;
    for (key, _) in &mut keyed {
        if let (Value::Undefined, Some(default)) = (&*key, &default) {
            *key = default.clone();
        }
    }
    let mut groups: Vec<(Value<'a>, Value<'a>, Vec<Value<'a>>)> = Vec::new();
    let shown = keyed.into_iter().map(|(key, item)| (key.clone(), (key, item)));
    for (key, (shown, item)) in order.sort(meter, shown.collect())? {
        match groups.last_mut() {
            Some((last, _, members)) if operators::equal(meter, last, &key)? => members.push(item),
            _ => groups.push((key, shown, vec![item])),
        }
    }
    let groups: Outcome<Vec<_>> =
        groups.into_iter().map(|(_, key, members)| group(meter, key, members)).collect();
    Value::list(meter, groups?)
}

/// A group can be unpacked, and asked for `grouper` and `list`.
fn group<'a>(meter: &Meter, key: Value<'a>, members: Vec<Value<'a>>) -> Outcome<Value<'a>> {
    let members = Value::list(meter, members)?;
    Value::map(meter, vec![(Value::from("grouper"), key), (Value::from("list"), members)])
}

pub(super) fn map<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let default = args.named("default");
    if let Some(attribute) = attribute(meter, args)? {
        let keyed = keyed(meter, &value, Some(attribute))?;
        let or_default = |key: Value<'a>| match (key, &default) {
            (Value::Undefined, Some(default)) => default.clone(),
            (key, _) => key,
        };
        return Value::list(meter, keyed.into_iter().map(|(key, _)| or_default(key)).collect());
    }
    let name = args.text(meter, "filter")?;
    let filter =
        super::find(&name).ok_or_else(|| Failure::new("`map` names a filter that does not exist"))?;
    let rest = args.rest();
    let named = std::mem::take(&mut args.named);
    let mapped: Outcome<Vec<_>> = items(meter, &value)?
        .into_iter()
        .map(|item| {
            meter.charge(rest.len() + named.len() + 1)?;
            let mut args = Args::positional(rest.clone());
            args.named.clone_from(&named);
            let mapped = meter.deeper(|| filter(meter, item, &mut args))?;
            args.finish().map(|()| mapped)
        })
        .collect();
    Value::list(meter, mapped?)
}

pub(super) fn select<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    chosen(meter, &value, args, None, true)
}

pub(super) fn reject<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    chosen(meter, &value, args, None, false)
}

pub(super) fn selectattr<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let attribute = args.text(meter, "attribute")?;
    chosen(meter, &value, args, Some(attribute), true)
}

pub(super) fn rejectattr<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let attribute = args.text(meter, "attribute")?;
    chosen(meter, &value, args, Some(attribute), false)
}

/// The items for which the test holds, or does not; without a test those that are true.
fn chosen<'a>(
    meter: &Meter,
    value: &Value<'a>,
    args: &mut Args<'a>,
    attribute: Option<Text<'a>>,
    wanted: bool,
) -> Outcome<Value<'a>> {
    let predicate = match args.optional_text(meter, "test")? {
        Some(name) => {
            Some(predicates::find(&name).ok_or_else(|| Failure::new("a test is named that does not exist"))?)
        }
        None => None,
    };
    let rest = args.rest();
    let mut kept = Vec::new();
    for (key, item) in keyed(meter, value, attribute)? {
        meter.charge(rest.len() + 1)?;
        let holds = match predicate {
            Some(predicate) => predicate(meter, &key, &mut Args::positional(rest.clone()))?,
            None => key.is_true(),
        };
        if holds == wanted {
            kept.push(item);
        }
    }
    Value::list(meter, kept)
}
