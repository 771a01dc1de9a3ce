//! Regular expressions as Envoy takes them: RE2's syntax, over bytes, with a bounded program.
//!
//! Envoy refuses a whole route configuration for one expression that it cannot compile, so what passes here must pass
//! there. The check reads with `regex-syntax`, whose language is close to RE2's, and refuses what RE2 lacks or reads
//! in another way. What RE2 alone knows (`\C`, `\Q..\E`) is refused too.

use regex_syntax::ast::{
    AssertionKind, Ast, ClassAscii, ClassSet, ClassSetItem, ClassUnicode, ClassUnicodeKind, Flag, Flags,
    FlagsItemKind, Group, GroupKind, HexLiteralKind, Literal, LiteralKind, Repetition, RepetitionKind,
    RepetitionRange, SpecialLiteralKind, parse::Parser,
};

/// Instructions that a program may have; RE2 itself gives up at somewhat more than 80,000.
const MAX_PROGRAM: usize = 50_000;

/// How often anything may be repeated, in all (RE2 `kMaxRepeat`).
const MAX_REPEAT: usize = 1000;

/// Checks an expression, and gives an upper bound of the number of its program's instructions.
///
/// # Errors
/// Says what is wrong, for who wrote it.
pub(crate) fn check(pattern: &str) -> Result<usize, String> {
    if pattern.is_empty() {
        return Err("is empty".to_owned());
    }
    let ast = Parser::new()
        .parse(pattern)
        .map_err(|error| format!("is no regular expression: {}", error.kind()))?;
    let size = size(&ast, 1)?;
    match size <= MAX_PROGRAM {
        true => Ok(size),
        false => Err(format!("is too large: about {size} steps, at most {MAX_PROGRAM} are allowed")),
    }
}

/// The size of a part that is repeated `times` times by what stands around it.
fn size(ast: &Ast, times: usize) -> Result<usize, String> {
    match ast {
        Ast::Empty(_) => Ok(1),
        Ast::Flags(set) => flags(&set.flags),
        Ast::Literal(found) => literal(found),
        Ast::Dot(_) | Ast::ClassPerl(_) => Ok(4),
        Ast::Assertion(found) => assertion(&found.kind),
        Ast::ClassUnicode(class) => unicode_class(class),
        Ast::ClassBracketed(class) => match &class.kind {
            ClassSet::Item(item) => Ok(2 + class_item(item)?),
            ClassSet::BinaryOp(_) => Err(lacks("set operations inside brackets")),
        },
        Ast::Repetition(found) => repetition(found, times),
        Ast::Group(group) => self::group(group, times),
        Ast::Alternation(found) => sum(&found.asts, times),
        Ast::Concat(found) => sum(&found.asts, times),
    }
}

fn sum(parts: &[Ast], times: usize) -> Result<usize, String> {
    parts.iter().try_fold(parts.len(), |total, part| Ok(total.saturating_add(size(part, times)?)))
}

fn lacks(what: &str) -> String {
    format!("has {what}, which RE2 lacks")
}

fn flags(flags: &Flags) -> Result<usize, String> {
    let known = |kind: &FlagsItemKind| match kind {
        FlagsItemKind::Negation => true,
        FlagsItemKind::Flag(flag) => matches!(
            flag,
            Flag::CaseInsensitive | Flag::MultiLine | Flag::DotMatchesNewLine | Flag::SwapGreed
        ),
    };
    match flags.items.iter().all(|item| known(&item.kind)) {
        true => Ok(1),
        false => Err(lacks("a flag other than i, m, s, U")),
    }
}

fn literal(literal: &Literal) -> Result<usize, String> {
    let byte = u32::from(literal.c) <= 0xff;
    match &literal.kind {
        LiteralKind::Verbatim => Ok(literal.c.len_utf8()),
        LiteralKind::Meta | LiteralKind::Superfluous if literal.c.is_ascii_punctuation() => Ok(1),
        LiteralKind::HexFixed(HexLiteralKind::X) | LiteralKind::HexBrace(HexLiteralKind::X) if byte => Ok(1),
        LiteralKind::Special(kind) if !matches!(kind, SpecialLiteralKind::Space) => Ok(1),
        _ => Err(lacks("such an escape sequence")),
    }
}

fn assertion(kind: &AssertionKind) -> Result<usize, String> {
    use AssertionKind::{EndLine, EndText, NotWordBoundary, StartLine, StartText, WordBoundary};
    match kind {
        StartLine | EndLine | StartText | EndText | WordBoundary | NotWordBoundary => Ok(1),
        _ => Err(lacks("this kind of word boundary")),
    }
}

/// RE2 knows properties by their exact names only.
fn unicode_class(class: &ClassUnicode) -> Result<usize, String> {
    const CATEGORIES: [&str; 30] = [
        "Cc", "Cf", "Co", "Cs", "Ll", "Lm", "Lo", "Lt", "Lu", "Mc", "Me", "Mn", "Nd", "Nl", "No", "Pc", "Pd",
        "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "So", "Zl", "Zp", "Zs", "Any",
    ];
    let known = match &class.kind {
        ClassUnicodeKind::OneLetter(letter) => "CLMNPSZ".contains(*letter),
        ClassUnicodeKind::Named(name) => CATEGORIES.contains(&name.as_str()),
        ClassUnicodeKind::NamedValue { .. } => false,
    };
    if known { Ok(16) } else { Err(lacks("this Unicode class")) }
}

fn class_item(item: &ClassSetItem) -> Result<usize, String> {
    match item {
        ClassSetItem::Empty(_) | ClassSetItem::Perl(_) | ClassSetItem::Ascii(ClassAscii { .. }) => Ok(4),
        ClassSetItem::Literal(literal) => class_literal(literal),
        ClassSetItem::Range(range) => Ok(class_literal(&range.start)? + class_literal(&range.end)?),
        ClassSetItem::Unicode(class) => unicode_class(class),
        ClassSetItem::Bracketed(_) => Err(lacks("brackets inside brackets")),
        ClassSetItem::Union(union) => {
            union.items.iter().try_fold(1, |total, item| Ok(total + class_item(item)?))
        }
    }
}

/// Envoy's RE2 reads bytes: a longer character inside brackets would be torn apart.
fn class_literal(found: &Literal) -> Result<usize, String> {
    if found.c.is_ascii() {
        literal(found)
    } else {
        Err("has a character other than ASCII inside brackets".to_owned())
    }
}

fn repetition(found: &Repetition, times: usize) -> Result<usize, String> {
    if matches!(*found.ast, Ast::Repetition(_)) {
        return Err(lacks("repetition of a repetition"));
    }
    let count = match &found.op.kind {
        RepetitionKind::Range(RepetitionRange::Exactly(n) | RepetitionRange::AtLeast(n)) => *n as usize,
        RepetitionKind::Range(RepetitionRange::Bounded(_, n)) => *n as usize,
        RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore | RepetitionKind::OneOrMore => 1,
    };
    let times = times.saturating_mul(count.max(1));
    if times > MAX_REPEAT {
        return Err(format!("repeats something more than {MAX_REPEAT} times"));
    }
    Ok(size(&found.ast, times)?.saturating_add(1).saturating_mul(count.max(1)).saturating_add(1))
}

fn group(group: &Group, times: usize) -> Result<usize, String> {
    match &group.kind {
        GroupKind::CaptureIndex(_) => {}
        GroupKind::CaptureName { name, .. } => {
            if !name.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return Err(lacks("such a name of a group"));
            }
        }
        GroupKind::NonCapturing(set) => drop(flags(set)?),
    }
    Ok(size(&group.ast, times)?.saturating_add(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_languages_read_alike_passes() {
        let patterns = [
            "/users/[0-9]+",
            "(?i)abc",
            "^/a(?:/.*)?$",
            r"\d{3}-\w+\.\S*",
            "(?P<id>[a-f0-9]{8})",
            r"[[:alpha:]]+|\x41",
            r"\pN\p{Lu}",
            "a|",
            r"\/\-\.",
            "[^]a]",
            "é+",
            "(?s-m).",
            "x{2,}y{0,9}?",
        ];
        for pattern in patterns {
            assert!(check(pattern).is_ok(), "{pattern}: {:?}", check(pattern));
        }
    }

    #[test]
    fn what_envoy_would_refuse_or_read_otherwise_is_refused() {
        let patterns = [
            "",
            "(",
            "(?=a)",
            "(?<!a)b",
            r"(a)\1",
            "(?x)a",
            "(?R)a",
            "(?-u:a)",
            "a**",
            "a{2}{3}",
            "[a&&b]",
            "[a--b]",
            "[a[bc]]",
            r"\u0041",
            r"\U00000041",
            r"\x{10FFFF}",
            r"\p{gc=Lu}",
            r"\p{greek}",
            r"\b{start}",
            r"\<a",
            "[é-ü]",
            r"\d{1001}",
            "(a{100}){11}",
            "(?P<a.b>x)",
        ];
        for pattern in patterns {
            assert!(check(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn programs_are_bounded() {
        assert!(check(&"(?:a{1000})".repeat(60)).is_err());
        assert!(check(&"(?:a{1000})".repeat(10)).is_ok());
    }

    #[test]
    fn the_bound_is_no_smaller_than_the_program() {
        // Sizes that Envoy 1.40 reports.
        assert!(check("(a|b){1000}").unwrap() >= 3004);
        assert!(check("(a{50}){20}").unwrap() >= 1044);
    }
}
