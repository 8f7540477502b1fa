//! One value against what its key may hold.

#![allow(clippy::wildcard_enum_match_arm, reason = "whatever is not of the expected type is one case")]

use crate::config::diagnostic::Hint;
use crate::config::hints;
use crate::config::keys::{Form, Key, Kind};
use crate::config::problems::Problem;
use crate::config::tree::{Node, Value};
use crate::config::values::{self, Address};

/// Checks a single value, or one element of a list; `Ok(Some(…))` is a warning.
pub(super) fn check(key: &'static Key, node: &Node) -> Result<Option<Problem>, Problem> {
    match &key.kind {
        Kind::Flag => match node.value {
            Value::Flag(_) => Ok(None),
            _ => Err(wrong_type(node, "true or false", flag_hint(node))),
        },
        Kind::Integer { min, max } => integer(key, node, "an integer", *min, *max),
        Kind::WordOrInteger { word, min, max } => match node.text() {
            Some(text) if text == *word => Ok(None),
            Some(text) if text.parse::<i64>().is_ok() => Err(wrong_type(
                node,
                &format!("\"{word}\" or an integer"),
                Some(format!("write {text} without quotes")),
            )),
            Some(_) => Err(wrong_value(node, format!("expected \"{word}\" or an integer from {min} to {max}"))),
            None => integer(key, node, &format!("\"{word}\" or an integer"), *min, *max),
        },
        Kind::Prime { max } => prime(key, node, *max),
        Kind::Duration { zero } => duration(key, node, *zero),
        Kind::Percent => share(node, "a share such as \"20%\"").map(|()| None),
        Kind::WordOrPercent { word } if node.text() == Some(word) => Ok(None),
        Kind::WordOrPercent { word } => share(node, &format!("a share such as \"20%\", or \"{word}\"")).map(|()| None),
        Kind::Word(words) => choice(key, node, words).map(|()| None),
        Kind::Text(form) | Kind::List(form) | Kind::OneOrList(form) => match node.text() {
            Some(text) => string(*form, node, text),
            None if *form == Form::Ports => ports_as_integer(key, node),
            None => Err(wrong_type(node, &describe(*form), bare_number(node, *form))),
        },
        // Tables are walked by the caller.
        Kind::Table(_) | Kind::Named(_) | Kind::Tables(_) | Kind::Targets(_) => Ok(None),
    }
}

/// Whether the value is what its key means when it is absent.
pub(super) fn is_default(key: &Key, node: &Node) -> bool {
    match (&key.kind, &node.value) {
        (Kind::Duration { .. }, Value::Text(text)) => {
            let default = values::duration(key.default.trim_matches('"'));
            default.is_ok() && values::duration(text) == default
        }
        (_, Value::Text(text)) => key.default.strip_prefix('"').and_then(|d| d.strip_suffix('"')) == Some(text),
        (_, Value::Integer(Some(number))) => key.default == number.to_string(),
        (_, Value::Flag(flag)) => key.default == flag.to_string(),
        (_, Value::Array(elements)) => elements.is_empty() && key.default == "[]",
        _ => false,
    }
}

fn wrong_type(node: &Node, expected: &str, hint: Option<String>) -> Problem {
    let message = format!("expected {expected}, found {}", node.value.describe());
    Problem::error("invalid_type", &node.span, message).hint(hint.map(Hint::Text))
}

fn wrong_value(node: &Node, message: impl Into<String>) -> Problem {
    Problem::error("invalid_value", &node.span, message)
}

fn flag_hint(node: &Node) -> Option<String> {
    match node.text()? {
        "true" | "yes" | "on" | "enabled" => Some("write true, without quotes".to_owned()),
        "false" | "no" | "off" | "disabled" => Some("write false, without quotes".to_owned()),
        _ => None,
    }
}

fn integer(key: &Key, node: &Node, expected: &str, min: i64, max: i64) -> Result<Option<Problem>, Problem> {
    let number = match &node.value {
        Value::Integer(number) => *number,
        Value::Text(text) if text.parse::<i64>().is_ok() => {
            return Err(wrong_type(node, expected, Some(format!("write {text} without quotes"))));
        }
        _ => return Err(wrong_type(node, expected, None)),
    };
    match number {
        Some(number) if (min..=max).contains(&number) => Ok(None),
        _ => Err(out_of_range(key, node, &format!("{min} to {max}"))),
    }
}

fn out_of_range(key: &Key, node: &Node, range: &str) -> Problem {
    Problem::error("out_of_range", &node.span, format!("`{}` must be {range}", key.name))
}

fn prime(key: &Key, node: &Node, max: i64) -> Result<Option<Problem>, Problem> {
    integer(key, node, "an integer", 2, max)?;
    match node.integer() {
        Some(number) if !values::is_prime(number) => {
            let next = values::next_prime(number);
            let problem = wrong_value(node, format!("{number} is not a prime"));
            Err(problem.text_hint(format!("the next prime is {next}")))
        }
        _ => Ok(None),
    }
}

fn duration(key: &Key, node: &Node, zero: bool) -> Result<Option<Problem>, Problem> {
    let Some(text) = node.text() else {
        let hint = node.integer().map(|number| format!("write \"{number}s\" for seconds"));
        return Err(wrong_type(node, "a duration such as \"5s\"", hint));
    };
    let value = values::duration(text).map_err(|message| wrong_value(node, message))?;
    if value.is_zero() && !zero {
        return Err(Problem::error("out_of_range", &node.span, format!("`{}` must be above zero", key.name)));
    }
    Ok(None)
}

fn share(node: &Node, expected: &str) -> Result<(), Problem> {
    let Some(text) = node.text() else {
        let hint = node.integer().filter(|n| (0..=100).contains(n)).map(|number| format!("write \"{number}%\""));
        return Err(wrong_type(node, expected, hint));
    };
    values::percent(text).map(|_share| ()).map_err(|message| wrong_value(node, message))
}

fn choice(key: &Key, node: &Node, words: &[&'static str]) -> Result<(), Problem> {
    let listed = words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
    match node.text() {
        None => Err(wrong_type(node, &format!("one of {listed}"), None)),
        Some(text) if words.contains(&text) => Ok(()),
        Some(text) => {
            let message = format!("`{}` cannot be \"{}\"; it is one of {listed}", key.name, text.escape_debug());
            Err(wrong_value(node, message).hint(hints::word(words, text)))
        }
    }
}

fn ports_as_integer(key: &Key, node: &Node) -> Result<Option<Problem>, Problem> {
    integer(key, node, "a port or a range of ports such as \"7000-7009\"", 1, 65_535)
}

fn bare_number(node: &Node, form: Form) -> Option<String> {
    let number = node.integer()?;
    (form == Form::Bind).then(|| format!("write \"0.0.0.0:{number}\""))
}

fn describe(form: Form) -> String {
    match form {
        Form::Bind => "an address and a port such as \"0.0.0.0:80\"",
        Form::Admin => "an admin address such as \"127.0.0.1:9901\"",
        Form::Prefix => "a prefix such as \"10.0.0.0/8\"",
        Form::Ip | Form::IpOrNothing => "an IP address in quotes",
        Form::Target => "an address such as \"10.0.0.1:80\"",
        _ => "a string",
    }
    .to_owned()
}

fn string(form: Form, node: &Node, text: &str) -> Result<Option<Problem>, Problem> {
    let wrong = |message: String| wrong_value(node, message);
    let require = |fits: bool, message: &str| if fits { Ok(()) } else { Err(wrong(message.to_owned())) };
    match form {
        Form::Free { max } => require(text.len() <= max && !text.contains('\0'), &format!("at most {max} bytes"))?,
        Form::Id => require(
            (1..=255).contains(&text.len()) && !text.chars().any(char::is_control),
            "an id is printable text of 1 to 255 bytes",
        )?,
        Form::Name => {
            require(values::is_name(text), "this cannot be a name: letters, digits, `_` and `-`, 64 at most")?;
        }
        Form::Path => require(text.len() <= 4096 && !text.contains('\0'), "this is not a path")?,
        Form::Bytes => {
            let bytes = values::bytes(text).map_err(wrong)?;
            require(bytes.len() <= 4096, "at most 4096 bytes")?;
        }
        Form::Hex => {
            let bytes = values::hex(text).map_err(wrong)?;
            require(bytes.len() <= 20, "at most 20 bytes")?;
        }
        Form::Statuses => drop(values::statuses(text).map_err(wrong)?),
        Form::HttpPath => require(
            text.starts_with('/') && text.len() <= 4096 && text.bytes().all(|b| b.is_ascii_graphic()),
            "a path begins with `/` and has no spaces",
        )?,
        Form::HttpHost => require(
            text.len() <= 255 && text.bytes().all(|b| b.is_ascii_graphic()),
            "a host has no spaces and at most 255 bytes",
        )?,
        Form::Algorithm => require(
            text.len() <= 15 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)),
            "this is not the name of a congestion control such as \"bbr\"",
        )?,
        Form::Bind => drop(values::bind(text).map_err(wrong)?),
        Form::Admin if text == values::DEFAULT_ADMIN => {}
        Form::Admin => drop(values::admin(text).map_err(wrong)?),
        Form::Prefix => {
            let (net, cut) = values::prefix(text).map_err(wrong)?;
            let warning = || {
                Problem::warning("host_bits", &node.span, format!("this has bits behind its prefix; it means {net}"))
            };
            return Ok(cut.then(warning));
        }
        Form::Ports => drop(values::ports(text).map_err(wrong)?),
        Form::Ip => drop(specific(text).map_err(wrong)?),
        Form::IpOrNothing => {
            require(text.is_empty() || specific(text).is_ok(), "this is not the address of one machine")?;
        }
        Form::Target => match values::target(text).map_err(wrong)? {
            Address::Ip(_) => {}
            Address::Name => {
                let message = "host names in `targets` are not supported yet";
                return Err(Problem::error("unsupported", &node.span, message).text_hint("write the IP address"));
            }
        },
        Form::Resolver => values::resolver(text).map_err(wrong)?,
    }
    Ok(None)
}

fn specific(text: &str) -> Result<std::net::IpAddr, String> {
    let ip = values::ip(text)?;
    if ip.is_unspecified() || ip.is_multicast() {
        Err(format!("{ip} is not the address of one machine"))
    } else {
        Ok(ip)
    }
}
