//! A JSON value together with the first key that an object gives twice.

use std::fmt::Write;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// What a text holds.
pub(super) struct Strict {
    /// The value; of duplicate keys the last.
    pub(super) value: Value,
    /// The path of the first key given twice.
    pub(super) duplicate: Option<String>,
}

/// Reads one JSON text. serde_json holds the depth to 128.
pub(super) fn parse(text: &str) -> Result<Strict, serde_json::Error> {
    let mut trail = Trail::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Seed(&mut trail).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(Strict { value, duplicate: trail.duplicate })
}

#[derive(Default)]
struct Trail {
    path: String,
    duplicate: Option<String>,
}

struct Seed<'a>(&'a mut Trail);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let len = self.0.path.len();
        let mut list = Vec::new();
        loop {
            // Writing to a String cannot fail.
            let _ = write!(self.0.path, "[{}]", list.len());
            let item = items.next_element_seed(Seed(self.0))?;
            self.0.path.truncate(len);
            match item {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let len = self.0.path.len();
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if len > 0 {
                self.0.path.push('.');
            }
            self.0.path.push_str(&key);
            if map.contains_key(&key) && self.0.duplicate.is_none() {
                self.0.duplicate = Some(self.0.path.clone());
            }
            let value = entries.next_value_seed(Seed(self.0))?;
            self.0.path.truncate(len);
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
