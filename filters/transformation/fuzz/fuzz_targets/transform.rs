//! Any template on any message: no panic, no stall, and no message that is half done.
//!
//! An input is lines: how the body is read, the value of a header, the template up to a line of `---`, the body.

#![no_main]

use ferrule_transformation::ParseAs;
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/invariants/mod.rs"]
mod invariants;

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else { return };
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let (field, rest) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let end = rest.windows(5).position(|window| window == b"\n---\n");
    let (template, body) = end.map_or((rest, &b""[..]), |end| (&rest[..end], &rest[end + 5..]));
    let Ok(template) = std::str::from_utf8(template) else { return };
    let parse_as = [ParseAs::AsJson, ParseAs::AsString, ParseAs::None][usize::from(mode % 3)];
    let exchange = invariants::Exchange {
        parse_as,
        replaces_body: mode & 8 == 0,
        field: field.to_vec(),
        body: body.chunks(1 + usize::from(mode >> 4) * 16).map(<[u8]>::to_vec).collect(),
    };
    invariants::check(template, &exchange);
});
