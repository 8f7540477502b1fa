//! The JSON Schema of the file, made of the key tables.

#![allow(clippy::wildcard_enum_match_arm, reason = "whatever is not of the expected type is one case")]

use super::keys::{Form, Key, Kind, ROOT, Section};
use serde_json::{Map, Value, json};

/// JSON Schema (draft 2020-12) of the configuration file: every key with its meaning and default.
#[must_use]
pub fn schema() -> Value {
    let mut schema = table(&ROOT);
    if let Value::Object(root) = &mut schema {
        root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("title".to_owned(), json!("forebay configuration"));
    }
    schema
}

fn table(section: &Section) -> Value {
    let properties: Map<String, Value> =
        section.keys.iter().map(|each| (each.name.to_owned(), property(each))).collect();
    let required: Vec<&str> = section.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if section.key("forward").is_some() {
        schema["oneOf"] = json!([{ "required": ["target_group"] }, { "required": ["forward"] }]);
    }
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = kind(&key.kind);
    schema["description"] = json!(key.doc);
    if let Ok(default) = serde_json::from_str::<Value>(key.default) {
        schema["default"] = default;
    }
    schema
}

fn kind(kind: &Kind) -> Value {
    const DURATION: &str = "^[0-9]+(ms|s|m|h)$";
    const PERCENT: &str = "^(100|[0-9]{1,2})%$";
    match kind {
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::WordOrInteger { word, min, max } => {
            json!({ "anyOf": [{ "const": word }, { "type": "integer", "minimum": min, "maximum": max }] })
        }
        Kind::Prime { max } => json!({ "type": "integer", "minimum": 2, "maximum": max }),
        Kind::Duration { .. } => json!({ "type": "string", "pattern": DURATION }),
        Kind::Percent => json!({ "type": "string", "pattern": PERCENT }),
        Kind::WordOrPercent { word } => {
            json!({ "anyOf": [{ "const": word }, { "type": "string", "pattern": PERCENT }] })
        }
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Text(form) => string(*form),
        Kind::List(form) => json!({ "type": "array", "items": string(*form) }),
        Kind::OneOrList(form) => {
            json!({ "anyOf": [string(*form), { "type": "array", "items": string(*form), "minItems": 1 }] })
        }
        Kind::Table(section) => table(section),
        Kind::Named(section) => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$" },
            "additionalProperties": table(section),
        }),
        Kind::Tables(section) => json!({ "type": "array", "items": table(section) }),
        Kind::Targets(section) => {
            json!({ "type": "array", "items": { "anyOf": [{ "type": "string" }, table(section)] } })
        }
    }
}

fn string(form: Form) -> Value {
    match form {
        Form::Name => json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$" }),
        Form::Id => json!({ "type": "string", "minLength": 1, "maxLength": 255 }),
        Form::Free { max } => json!({ "type": "string", "maxLength": max }),
        Form::HttpPath => json!({ "type": "string", "pattern": "^/" }),
        Form::Hex => json!({ "type": "string", "pattern": "^([0-9A-Fa-f]{2})*$" }),
        Form::Ports => json!({ "type": ["string", "integer"] }),
        _ => json!({ "type": "string" }),
    }
}
