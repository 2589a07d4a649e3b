//! What the rows of a form look like, to say exactly where one does not.

use serde_json::{Map, Value};

use crate::fault::{Fault, FaultKind, excerpt};

/// What a JSON value must be.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// A string.
    Text,
    /// A number without a fraction.
    Integer,
    /// A whole number that is not negative.
    Count,
    /// A whole number that is not negative and fits into 32 bits.
    Pixels,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// Anything.
    Any,
    /// A list of values of one shape. In a list of [`Shape::Nullable`], items may be null.
    List(&'static Shape),
    /// An object with these fields; others are allowed.
    Object(&'static [Field]),
    /// An object whose keys are data and whose values have one shape.
    Map(&'static Shape),
    /// Null or this.
    Nullable(&'static Shape),
    /// One of several. The first that is of the same JSON type is the one that explains faults.
    Either(&'static [Shape]),
}

/// A field of an object.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// What its value must be.
    pub shape: Shape,
    /// Whether it has to be there.
    pub presence: Presence,
}

/// Whether a field has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// There and not null.
    Required,
    /// There, perhaps null.
    Nullable,
    /// May be absent or null.
    Optional,
}

impl Field {
    /// A field that must be there and not null.
    pub const fn required(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, presence: Presence::Required }
    }

    /// A field that must be there and may be null.
    pub const fn nullable(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, presence: Presence::Nullable }
    }

    /// A field that may be absent or null.
    pub const fn optional(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, presence: Presence::Optional }
    }
}

impl Shape {
    /// Checks a whole row of the form `form`.
    ///
    /// # Errors
    ///
    /// The first [`Fault`] in the order of the shape: kinds type, missing and null.
    pub fn check(self, value: &Value, form: &str) -> Result<(), Fault> {
        self.check_at(value, &mut String::new()).map_err(|mut fault| {
            if fault.field.is_none() {
                fault.expected = format!("{} (form {form})", fault.expected);
            }
            fault
        })
    }

    fn check_at(self, value: &Value, path: &mut String) -> Result<(), Fault> {
        match (self, value) {
            (Shape::Object(fields), Value::Object(map)) => check_fields(fields, map, path),
            (Shape::List(item), Value::Array(list)) => {
                for (index, value) in list.iter().enumerate() {
                    within(path, &format!("[{index}]"), |path| item.check_at(value, path))?;
                }
                Ok(())
            }
            (Shape::Map(item), Value::Object(map)) => {
                for (key, value) in map {
                    within(path, &dotted(path, key), |path| item.check_at(value, path))?;
                }
                Ok(())
            }
            (Shape::Nullable(_), Value::Null) => Ok(()),
            (Shape::Nullable(shape), _) => shape.check_at(value, path),
            (Shape::Either(shapes), _) => match shapes.iter().find(|shape| shape.fits(value)) {
                Some(shape) => shape.check_at(value, path),
                None => Err(self.fault(value, path)),
            },
            _ if self.fits(value) => Ok(()),
            _ => Err(self.fault(value, path)),
        }
    }

    /// Whether the JSON type is right, contents aside.
    fn fits(self, value: &Value) -> bool {
        match self {
            Shape::Text => value.is_string(),
            Shape::Integer => value.is_i64() || value.is_u64(),
            Shape::Count => value.is_u64(),
            Shape::Pixels => value.as_u64().is_some_and(|n| u32::try_from(n).is_ok()),
            Shape::Number => value.is_number(),
            Shape::Boolean => value.is_boolean(),
            Shape::Any => true,
            Shape::List(_) => value.is_array(),
            Shape::Object(_) | Shape::Map(_) => value.is_object(),
            Shape::Nullable(shape) => value.is_null() || shape.fits(value),
            Shape::Either(shapes) => shapes.iter().any(|shape| shape.fits(value)),
        }
    }

    fn fault(self, value: &Value, path: &str) -> Fault {
        let kind = if value.is_null() { FaultKind::Null } else { FaultKind::Type };
        let fault = Fault::row(kind, self.words(), describe(value));
        Fault { field: (!path.is_empty()).then(|| path.to_owned()), ..fault }
    }

    /// The shape for people.
    fn words(self) -> String {
        match self {
            Shape::Text => "a string".to_owned(),
            Shape::Integer => "a whole number".to_owned(),
            Shape::Count => "a whole number from 0".to_owned(),
            Shape::Pixels => "a whole number from 0 to 4294967295".to_owned(),
            Shape::Number => "a number".to_owned(),
            Shape::Boolean => "true or false".to_owned(),
            Shape::Any => "a value".to_owned(),
            Shape::List(_) => "a list".to_owned(),
            Shape::Object(_) | Shape::Map(_) => "an object".to_owned(),
            Shape::Nullable(shape) => format!("{} or null", shape.words()),
            Shape::Either(shapes) => {
                shapes.iter().map(|shape| shape.words()).collect::<Vec<_>>().join(" or ")
            }
        }
    }
}

fn check_fields(
    fields: &[Field],
    map: &Map<String, Value>,
    path: &mut String,
) -> Result<(), Fault> {
    for Field { name, shape, presence } in fields {
        match (map.get(*name), presence) {
            (None, Presence::Optional)
            | (Some(Value::Null), Presence::Optional | Presence::Nullable) => {}
            (None, _) => {
                let field = format!("{path}{}", dotted(path, name));
                return Err(Fault::field(
                    FaultKind::Missing,
                    field,
                    shape.words(),
                    "no such field",
                ));
            }
            (Some(value), _) => {
                within(path, &dotted(path, name), |path| shape.check_at(value, path))?;
            }
        }
    }
    Ok(())
}

fn dotted(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!(".{key}") }
}

fn within<R>(path: &mut String, step: &str, inner: impl FnOnce(&mut String) -> R) -> R {
    let len = path.len();
    path.push_str(step);
    let result = inner(path);
    path.truncate(len);
    result
}

/// A value for people: `the number 7`, `the string "…"`, `a list of 3`.
pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the string \"{}\"", excerpt(text)),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(map) => format!("an object with {} fields", map.len()),
    }
}
