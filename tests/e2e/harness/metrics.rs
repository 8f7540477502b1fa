//! Reads the Prometheus text format.

use std::collections::BTreeMap;

/// One line of `/metrics`.
#[derive(Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Sample {
    /// Whether this is `name` with at least these labels.
    pub(crate) fn is(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.name == name && labels.iter().all(|(key, value)| self.labels.get(*key).is_some_and(|v| v == value))
    }
}

/// Every sample of `text`; a panic shows a line that is none.
pub(crate) fn parse(text: &str) -> Vec<Sample> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| sample(line).unwrap_or_else(|| panic!("not a sample: {line}"))).collect()
}

fn sample(line: &str) -> Option<Sample> {
    let (series, value) = match line.rfind('}') {
        Some(end) => (&line[..=end], line[end + 1..].trim()),
        None => line.split_once(' ')?,
    };
    let value = value.split(' ').next()?.parse().ok()?;
    let Some((name, labels)) = series.split_once('{') else {
        return Some(Sample { name: series.to_owned(), labels: BTreeMap::new(), value });
    };
    Some(Sample { name: name.to_owned(), labels: parse_labels(labels.strip_suffix('}')?)?, value })
}

fn parse_labels(mut rest: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    while !rest.is_empty() {
        let (key, tail) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = tail.char_indices();
        let end = loop {
            match chars.next()? {
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (index, '"') => break index,
                (_, other) => value.push(other),
            }
        };
        labels.insert(key.to_owned(), value);
        rest = tail[end + 1..].trim_start_matches(',');
    }
    Some(labels)
}

#[test]
fn names_labels_and_values_are_read() {
    let text = "# HELP a b\na 1\nb{x=\"1\",y=\"q\\\"},\\\\\"} 2.5\nc{le=\"+Inf\"} +Inf\n";
    let samples = parse(text);
    assert!(samples[0].is("a", &[]) && (samples[0].value - 1.0).abs() < f64::EPSILON);
    assert!(samples[1].is("b", &[("x", "1"), ("y", "q\"},\\")]) && !samples[1].is("b", &[("x", "2")]));
    assert!(samples[2].value.is_infinite());
}
