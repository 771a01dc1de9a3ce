//! Any template on any message: no panic, no stall, and no message that is half done.
//!
//! An input is two bytes that choose how, then lines: an extractor's expression, the value of a header, the template up to a
//! line of `---`, the body.

#![no_main]

use ferrule_transformation::ParseAs;
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/invariants/mod.rs"]
mod invariants;

fuzz_target!(|data: &[u8]| {
    let [mode, options, data @ ..] = data else { return };
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (regex, field, rest) = (line(), line(), line());
    let end = rest.windows(5).position(|window| window == b"\n---\n");
    let (template, body) = end.map_or((rest, &b""[..]), |end| (&rest[..end], &rest[end + 5..]));
    let (Ok(template), Ok(regex)) = (std::str::from_utf8(template), std::str::from_utf8(regex)) else { return };
    let parse_as = [ParseAs::AsJson, ParseAs::AsString, ParseAs::None][usize::from(mode % 3)];
    let exchange = invariants::Exchange {
        parse_as,
        shape: invariants::Shape::ALL[usize::from(mode / 3) % 5],
        options: *options,
        regex: regex.to_owned(),
        field: field.to_vec(),
        body: body.chunks(1 + usize::from(mode >> 4) * 16).map(<[u8]>::to_vec).collect(),
    };
    invariants::check(template, &exchange);
});
