//! Places in a template to places in the file that holds it.

use ferrule_convert::Place;

use crate::manifest::Mark;

/// Where in `text` the place of a template stands whose key is at `key`; none if the way it is written hides that.
pub(super) fn in_file(text: &str, key: Mark, place: Place) -> Option<Mark> {
    let mut lines = text.lines().skip(usize::try_from(key.line).ok()?.checked_sub(1)?);
    let line = lines.next()?;
    let start = offset(line, key.column)?;
    let value = line.get(start..)?.split_once(':').map(|(_, value)| value.trim_start())?;
    if value.starts_with('|') {
        let first = lines.find(|line| !line.trim().is_empty())?;
        let indent = first.len() - first.trim_start_matches(' ').len();
        // The text starts on the line after the key's.
        let line = key.line.checked_add(place.line)?;
        return Some(Mark { line, column: place.column.checked_add(u32::try_from(indent).ok()?)? });
    }
    if place.line != 1 {
        return None;
    }
    let skipped = skipped(value, usize::try_from(place.column).ok()?.checked_sub(1)?)?;
    let before = line.get(..line.len() - value.len())?.chars().count();
    Some(Mark { line: key.line, column: u32::try_from(before + skipped + 1).ok()? })
}

fn offset(line: &str, column: u32) -> Option<usize> {
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    line.char_indices().map(|(offset, _)| offset).nth(column)
}

/// How many characters stand before the one at `column` (from 0) of what `scalar` says.
fn skipped(scalar: &str, column: usize) -> Option<usize> {
    let quote = scalar.chars().next()?;
    let mut letters = scalar.chars().peekable();
    if !matches!(quote, '"' | '\'') {
        return (!matches!(quote, '>' | '&' | '*' | '!')).then_some(column);
    }
    letters.next();
    let mut skipped = 1;
    for _ in 0..column {
        let length = match (letters.next()?, letters.peek()) {
            ('\\', Some(escape)) if quote == '"' => 2 + digits(*escape),
            ('\'', Some('\'')) if quote == '\'' => 2,
            (letter, _) if letter == quote => return None,
            _ => 1,
        };
        for _ in 1..length {
            letters.next();
        }
        skipped += length;
    }
    Some(skipped)
}

/// How many digits follow an escape.
fn digits(escape: char) -> usize {
    match escape {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, line: u32, column: u32) -> Option<(u32, u32)> {
        in_file(text, Mark { line: 1, column: 3 }, Place { line, column })
            .map(|mark| (mark.line, mark.column))
    }

    #[test]
    fn places_are_found_in_each_style_of_scalar() {
        assert_eq!(found("  text: abc", 1, 3), Some((1, 11)));
        assert_eq!(found("- text: 'a''bc'", 1, 3), Some((1, 13)));
        assert_eq!(found("- text: \"\\\"\\u00e9bc\"", 1, 3), Some((1, 18)));
        assert_eq!(found("  text: |\n\n      abc\n      def\n", 3, 2), Some((4, 8)));
    }

    #[test]
    fn a_style_that_hides_the_place_gives_none() {
        assert_eq!(found("  text: >\n    abc\n", 1, 2), None);
        assert_eq!(found("  text: \"a\n    b\"", 2, 1), None);
        assert_eq!(found("  text: *anchor", 1, 2), None);
        assert_eq!(found("", 1, 1), None);
    }
}
