//! Filters (`value | filter(arguments)`): MiniJinja's, bounded and free of panics.

mod list;
mod number;
mod pick;
mod printf;
mod text;

use super::arguments::Args;
use super::error::Outcome;
use super::meter::Meter;
use super::value::Value;

pub(crate) use text::replaced;

/// What a filter does.
pub(crate) type Filter = for<'a> fn(&Meter, Value<'a>, &mut Args<'a>) -> Outcome<Value<'a>>;

/// The filter of that name.
pub(crate) fn find(name: &str) -> Option<Filter> {
    Some(match name {
        "abs" => number::abs,
        "attr" => list::attr,
        "batch" => list::batch,
        "bool" => number::bool,
        "capitalize" => text::capitalize,
        "chain" => list::chain,
        "count" | "length" => list::length,
        "d" | "default" => list::default,
        "dictsort" => list::dictsort,
        "e" | "escape" => text::escape,
        "first" => list::first,
        "float" => number::float,
        "format" => printf::format,
        "groupby" => pick::groupby,
        "indent" => text::indent,
        "int" => number::int,
        "items" => list::items,
        "join" => text::join,
        "last" => list::last,
        "lines" => text::lines,
        "list" => list::list,
        "lower" => text::lower,
        "map" => pick::map,
        "max" => pick::max,
        "min" => pick::min,
        "pprint" => text::pprint,
        "reject" => pick::reject,
        "rejectattr" => pick::rejectattr,
        "replace" => text::replace,
        "reverse" => list::reverse,
        "round" => number::round,
        "safe" | "string" => text::string,
        "select" => pick::select,
        "selectattr" => pick::selectattr,
        "slice" => list::slice,
        "sort" => pick::sort,
        "split" => text::split,
        "sum" => list::sum,
        "title" => text::title,
        "tojson" => text::tojson,
        "trim" => text::trim,
        "unique" => pick::unique,
        "upper" => text::upper,
        "urlencode" => text::urlencode,
        "zip" => list::zip,
        _ => return None,
    })
}

/// What `attribute="a.b"` names: fields of fields, items by number.
fn path<'a>(meter: &Meter, value: &Value<'a>, path: &str) -> Outcome<Value<'a>> {
    let mut value = value.clone();
    for part in path.split('.') {
        value = match part.parse() {
            Ok(index) => super::access::item(meter, &value, &Value::Int(index))?,
            Err(_) => super::access::field(meter, &value, part)?,
        };
    }
    Ok(value)
}
