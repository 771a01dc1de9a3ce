//! `"…" | format(…)`: Python's `%` formatting of texts and numbers.

use super::super::arguments::Args;
use super::super::error::{Failure, Outcome};
use super::super::meter::Meter;
use super::super::value::Value;

/// The widest that a field may be asked to be.
const MAX_WIDTH: usize = 1_000;

/// `%[flags][width][.precision]letter`
#[derive(Debug, Default)]
struct Field {
    left: bool,
    zeros: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
    letter: char,
}

pub(super) fn format<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let text = value.to_text(meter)?;
    meter.charge_bytes(text.len())?;
    let mut out = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some((plain, after)) = rest.split_once('%') {
        out.push_str(plain);
        let (field, after) = Field::parse(after)?;
        rest = after;
        if field.letter == '%' {
            out.push('%');
            continue;
        }
        let printed = field.print(meter, &args.required("value")?)?;
        meter.charge_bytes(printed.len())?;
        out.push_str(&printed);
    }
    out.push_str(rest);
    Value::text(meter, out)
}

impl Field {
    fn parse(text: &str) -> Outcome<(Self, &str)> {
        let mut field = Self::default();
        let flags = text.len() - text.trim_start_matches(['-', '0', '+', ' ', '#']).len();
        let (flags, rest) = text.split_at(flags);
        field.left = flags.contains('-');
        field.zeros = flags.contains('0');
        field.plus = flags.contains('+');
        field.space = flags.contains(' ');
        field.alternate = flags.contains('#');
        let (width, mut rest) = number(rest)?;
        field.width = width.unwrap_or(0);
        if let Some(after) = rest.strip_prefix('.') {
            let (precision, after) = number(after)?;
            field.precision = Some(precision.unwrap_or(0));
            rest = after;
        }
        let mut rest = rest.chars();
        field.letter = rest.next().ok_or_else(|| Failure::new("a `%` stands at the end of a format"))?;
        Ok((field, rest.as_str()))
    }

    fn print(&self, meter: &Meter, value: &Value<'_>) -> Outcome<String> {
        let float = || value.as_float().ok_or_else(|| Failure::new(format!("{} is no number", value.kind())));
        let digits = self.precision.unwrap_or(6);
        Ok(match self.letter {
            's' => self.padded("", &self.shortened(&value.to_text(meter)?)),
            'd' | 'i' | 'u' => self.integer(integer(value)?, "", |value| value.to_string()),
            'x' => self.integer(integer(value)?, "0x", |value| format!("{value:x}")),
            'X' => self.integer(integer(value)?, "0X", |value| format!("{value:X}")),
            'o' => self.integer(integer(value)?, "0o", |value| format!("{value:o}")),
            'f' | 'F' => self.signed(float()?, |value| format!("{value:.digits$}")),
            'e' | 'E' => self.signed(float()?, |value| scientific(value, digits, self.letter)),
            'g' | 'G' => self.signed(float()?, |value| format!("{value}")),
            'c' => self.padded("", &value.to_text(meter)?.chars().take(1).collect::<String>()),
            _ => return Err(Failure::new("a format holds a conversion that is not known")),
        })
    }

    fn shortened(&self, text: &str) -> String {
        text.chars().take(self.precision.unwrap_or(usize::MAX)).collect()
    }

    fn integer(&self, value: i128, prefix: &str, digits: impl Fn(u128) -> String) -> String {
        let prefix = if self.alternate { prefix } else { "" };
        let sign = self.sign(value < 0);
        self.padded(&format!("{sign}{prefix}"), &digits(value.unsigned_abs()))
    }

    fn signed(&self, value: f64, digits: impl Fn(f64) -> String) -> String {
        self.padded(self.sign(value.is_sign_negative()), &digits(value.abs()))
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.plus, self.space) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        }
    }

    fn padded(&self, sign: &str, digits: &str) -> String {
        let missing = self.width.saturating_sub(sign.len() + digits.chars().count());
        match (self.left, self.zeros && self.letter != 's') {
            (true, _) => format!("{sign}{digits}{}", " ".repeat(missing)),
            (false, true) => format!("{sign}{}{digits}", "0".repeat(missing)),
            (false, false) => format!("{}{sign}{digits}", " ".repeat(missing)),
        }
    }
}

fn number(text: &str) -> Outcome<(Option<usize>, &str)> {
    let digits = text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    let (digits, rest) = text.split_at(digits);
    if digits.is_empty() {
        return Ok((None, rest));
    }
    match digits.parse() {
        Ok(number) if number <= MAX_WIDTH => Ok((Some(number), rest)),
        _ => Err(Failure::bound("a format asks for too wide a field")),
    }
}

/// Python truncates floats.
fn integer(value: &Value<'_>) -> Outcome<i128> {
    let truncated = || value.as_float().filter(|float| float.abs() < 1e38).map(|float| float as i128);
    let exact = if let Value::Int(value) = value { Some(*value) } else { None };
    exact.or_else(truncated).ok_or_else(|| Failure::new(format!("{} is no number", value.kind())))
}

/// Python writes two digits of the exponent at least.
fn scientific(value: f64, digits: usize, letter: char) -> String {
    let text = format!("{value:.digits$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{mantissa}{letter}{sign}{exponent:0>2}")
}
