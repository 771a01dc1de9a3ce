//! Inja's renderer.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::inja::{Binary, Expression, Form, Statement, What, parse};

/// What Inja renders; none where it fails.
pub(super) fn render(template: &str, data: &str) -> Option<String> {
    let statements = parse(template).ok()?;
    let data = serde_json::from_str(data).ok()?;
    let mut render = Render { data, additional: BTreeMap::new(), loops: Vec::new(), out: String::new() };
    render.block(&statements)?;
    Some(render.out)
}

struct Render {
    data: Value,
    additional: BTreeMap<String, Value>,
    /// Index and length of each open loop.
    loops: Vec<(usize, usize)>,
    out: String,
}

impl Render {
    fn block(&mut self, statements: &[Statement<'_>]) -> Option<()> {
        statements.iter().try_for_each(|statement| self.statement(&statement.what))
    }

    fn statement(&mut self, what: &What<'_>) -> Option<()> {
        match what {
            What::Text(text) => self.out.push_str(text),
            What::Comment(_) | What::Unsupported(_) => {}
            What::Print(expression) => {
                let value = self.eval(expression)?;
                self.out.push_str(&printed(&value)?);
            }
            What::Set { name, value } => {
                let value = self.eval(value)?;
                self.additional.insert((*name).to_owned(), value);
            }
            What::If { arms, otherwise } => {
                for (condition, body) in arms {
                    if truthy(&self.eval(condition)?) {
                        return self.block(body);
                    }
                }
                self.block(otherwise.as_deref().unwrap_or_default())?;
            }
            What::For { key, value, items, body } => self.for_loop(*key, value, items, body)?,
        }
        Some(())
    }

    fn for_loop(
        &mut self,
        key: Option<&str>,
        value: &str,
        items: &Expression<'_>,
        body: &[Statement<'_>],
    ) -> Option<()> {
        let pairs: Vec<(Value, Value)> = match (self.eval(items)?, key) {
            (Value::Array(items), None) => items.into_iter().map(|item| (Value::Null, item)).collect(),
            (Value::Object(members), Some(_)) => {
                sorted(&members).into_iter().map(|(name, value)| (json!(name), value.clone())).collect()
            }
            _ => return None,
        };
        let length = pairs.len();
        self.loops.push((0, length));
        for (index, (name, item)) in pairs.into_iter().enumerate() {
            *self.loops.last_mut()? = (index, length);
            if let Some(key) = key {
                self.additional.insert(key.to_owned(), name);
            }
            self.additional.insert(value.to_owned(), item);
            self.block(body)?;
        }
        self.loops.pop();
        // What is left is refused by the rewriter wherever it is read.
        key.iter()
            .chain([&value])
            .for_each(|name| drop(self.additional.insert((*name).to_owned(), Value::Null)));
        Some(())
    }

    fn lookup(&self, path: &str) -> Option<Value> {
        if let Some(field) = path.strip_prefix("loop.") {
            let up = field.matches("parent.").count();
            let (index, length) = *self.loops.get(self.loops.len().checked_sub(up + 1)?)?;
            return Some(match field.rsplit('.').next()? {
                "index" => json!(index),
                "index1" => json!(index + 1),
                "is_first" => json!(index == 0),
                "is_last" => json!(index + 1 == length),
                _ => return None,
            });
        }
        let (root, rest) = path.split_once('.').map_or((path, ""), |(root, rest)| (root, rest));
        let below = |value: &Value| {
            let pointer =
                if rest.is_empty() { String::new() } else { format!("/{}", rest.replace('.', "/")) };
            value.pointer(&pointer).cloned()
        };
        let own = self.additional.get(root).and_then(below);
        own.or_else(|| self.data.get(root).and_then(below))
    }

    fn eval(&self, expression: &Expression<'_>) -> Option<Value> {
        Some(match &expression.form {
            Form::Literal(value) => value.clone(),
            Form::Variable(path) => self.lookup(path)?,
            Form::Not(inner) => json!(!truthy(&self.eval(inner)?)),
            Form::Binary(Binary::And, parts) => {
                json!(truthy(&self.eval(&parts.0)?) && truthy(&self.eval(&parts.1)?))
            }
            Form::Binary(Binary::Or, parts) => {
                json!(truthy(&self.eval(&parts.0)?) || truthy(&self.eval(&parts.1)?))
            }
            Form::Binary(operator, parts) => binary(*operator, &self.eval(&parts.0)?, &self.eval(&parts.1)?)?,
            Form::Member(..) => return None,
            Form::Call { name: "default", arguments, .. } => {
                let [value, other] = &arguments[..] else { return None };
                match &value.form {
                    Form::Variable(path) => self.lookup(path).or_else(|| self.eval(other))?,
                    _ => self.eval(value)?,
                }
            }
            Form::Call { name: "exists", arguments, .. } => {
                let Form::Literal(Value::String(path)) = &arguments.first()?.form else { return None };
                json!(self.data.pointer(&format!("/{}", path.replace('.', "/"))).is_some())
            }
            Form::Call { name, arguments, .. } => {
                let arguments: Option<Vec<_>> =
                    arguments.iter().map(|argument| self.eval(argument)).collect();
                call(name, &arguments?)?
            }
        })
    }
}

fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(_) => true,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// Floats whose notation depends on the library are left out.
fn printed(value: &Value) -> Option<String> {
    let odd = |float: f64| float != 0.0 && !(1e-3..1e15).contains(&float.abs());
    Some(match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Number(number) if number.is_f64() && number.as_f64().is_some_and(odd) => return None,
        Value::Object(members) => {
            let pairs: Option<Vec<_>> = sorted(members)
                .into_iter()
                .map(|(name, value)| Some(format!("{}:{}", json!(name), dumped(value)?)))
                .collect();
            format!("{{{}}}", pairs?.join(","))
        }
        Value::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(dumped).collect();
            format!("[{}]", items?.join(","))
        }
        other => other.to_string(),
    })
}

fn dumped(value: &Value) -> Option<String> {
    if matches!(value, Value::String(_) | Value::Null) { Some(value.to_string()) } else { printed(value) }
}

fn sorted(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by_key(|(name, _)| *name);
    members
}

fn equal(a: &Value, b: &Value) -> bool {
    order(a, b) == Some(Ordering::Equal)
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::Object(_) => 3,
        Value::Array(_) => 4,
        Value::String(_) => 5,
    };
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Array(a), Value::Array(b)) => {
            let unlike =
                a.iter().zip(b).map(|(a, b)| order(a, b)).find(|order| *order != Some(Ordering::Equal));
            unlike.unwrap_or_else(|| Some(a.len().cmp(&b.len())))
        }
        (Value::Object(a), Value::Object(b)) => {
            let flat = |members| -> Vec<Value> {
                sorted(members).into_iter().flat_map(|(name, value)| [json!(name), value.clone()]).collect()
            };
            order(&flat(a).into(), &flat(b).into())
        }
        (a, b) => Some(rank(a).cmp(&rank(b))),
    }
}

fn binary(operator: Binary, a: &Value, b: &Value) -> Option<Value> {
    let ordered = |holds: fn(Ordering) -> bool| Some(json!(holds(order(a, b)?)));
    match operator {
        Binary::Equal => Some(json!(equal(a, b))),
        Binary::NotEqual => Some(json!(!equal(a, b))),
        Binary::Less => ordered(Ordering::is_lt),
        Binary::LessOrEqual => ordered(Ordering::is_le),
        Binary::Greater => ordered(Ordering::is_gt),
        Binary::GreaterOrEqual => ordered(Ordering::is_ge),
        Binary::In => Some(json!(match b {
            Value::Array(items) => items.iter().any(|item| equal(a, item)),
            Value::Object(members) => members.values().any(|value| equal(a, value)),
            Value::Null => false,
            other => equal(a, other),
        })),
        Binary::Add if a.is_string() && b.is_string() => {
            Some(json!(format!("{}{}", a.as_str()?, b.as_str()?)))
        }
        _ => arithmetic(operator, a, b),
    }
}

fn arithmetic(operator: Binary, a: &Value, b: &Value) -> Option<Value> {
    let (x, y) = (a.as_f64()?, b.as_f64()?);
    if let (Some(m), Some(n)) = (a.as_i64(), b.as_i64()) {
        match operator {
            Binary::Add => return Some(json!(m.checked_add(n)?)),
            Binary::Subtract => return Some(json!(m.checked_sub(n)?)),
            Binary::Multiply => return Some(json!(m.checked_mul(n)?)),
            Binary::Power if n >= 0 => return Some(json!(m.checked_pow(u32::try_from(n).ok()?)?)),
            _ => {}
        }
    }
    let truncated = |value: f64| value as i64;
    let float = match operator {
        Binary::Add => x + y,
        Binary::Subtract => x - y,
        Binary::Multiply => x * y,
        Binary::Divide if y != 0.0 => x / y,
        Binary::Power if a.is_i64() && truncated(y) >= 0 => {
            return Some(json!(truncated(x.powi(truncated(y) as i32))));
        }
        Binary::Power => x.powi(truncated(y) as i32),
        Binary::Remainder => return Some(json!(truncated(x).checked_rem(truncated(y))?)),
        _ => return None,
    };
    float.is_finite().then(|| json!(float))
}

fn call(name: &str, arguments: &[Value]) -> Option<Value> {
    let integer = |value: &Value| value.as_f64().map(|float| float as i64);
    Some(match (name, arguments) {
        ("upper", [Value::String(text)]) => json!(text.to_ascii_uppercase()),
        ("lower", [Value::String(text)]) => json!(text.to_ascii_lowercase()),
        ("length", [value]) => json!(match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.len(),
            Value::Object(members) => members.len(),
            Value::Null => 0,
            _ => 1,
        }),
        ("first", [Value::Array(items)]) => items.first()?.clone(),
        ("last", [Value::Array(items)]) => items.last()?.clone(),
        ("max", [Value::Array(items)]) => {
            items.iter().rev().max_by(|a, b| order(a, b).unwrap_or(Ordering::Equal))?.clone()
        }
        ("min", [Value::Array(items)]) => {
            items.iter().min_by(|a, b| order(a, b).unwrap_or(Ordering::Equal))?.clone()
        }
        ("sort", [Value::Array(items)]) => {
            let mut items = items.clone();
            items.sort_by(|a, b| order(a, b).unwrap_or(Ordering::Equal));
            json!(items)
        }
        ("range", [value]) => json!((0..integer(value)?).collect::<Vec<_>>()),
        ("odd", [value]) => json!(integer(value)? % 2 != 0),
        ("even", [value]) => json!(integer(value)? % 2 == 0),
        // Inja does not look at what 0 would divide, so that anything will do.
        ("divisibleBy", [a, b]) => json!(integer(a)?.checked_rem(integer(b)?).is_some_and(|rest| rest == 0)),
        ("isArray", [value]) => json!(value.is_array()),
        ("isBoolean", [value]) => json!(value.is_boolean()),
        ("isFloat", [value]) => json!(value.is_f64()),
        ("isInteger", [value]) => json!(value.is_i64() || value.is_u64()),
        ("isNumber", [value]) => json!(value.is_number()),
        ("isObject", [value]) => json!(value.is_object()),
        ("isString", [value]) => json!(value.is_string()),
        ("at", [Value::Object(members), Value::String(name)]) => members.get(name)?.clone(),
        ("at", [Value::Array(items), place]) => items.get(usize::try_from(integer(place)?).ok()?)?.clone(),
        ("existsIn", [value, Value::String(name)]) => json!(value.get(name).is_some()),
        _ => return None,
    })
}
