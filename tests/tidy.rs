//! Reads the sources: layers, doors, sizes, clocks, unsafe, names, columns, and what a text of the project does not
//! say.
//!
//! A rule may be broken in a file whose text says why: a comment `tidy: RULE, because …` switches off that rule for
//! the file.

use std::fmt;
use std::path::{Path, PathBuf};

/// The layers, lowest first: a module imports modules of earlier rows only.
const ROWS: &[&[&str]] = &[
    &["model"],
    &["time", "stats", "sys"],
    &["balance", "health", "relay", "flow", "limit", "proxy_protocol"],
    &["config"],
    &["snapshot"],
    &["engine"],
    &["worker"],
    &["control", "load"],
    &["admin", "balancer"],
    &["cli"],
    &["lib", "main"],
];

/// Crates that are imported in one place only.
const DOORS: &[(&str, &[&str])] = &[
    ("clap", &["cli/"]),
    ("hdrhistogram", &["stats/", "load/"]),
    ("libc", &["sys/"]),
    ("rustix", &["sys/"]),
    ("socket2", &["sys/"]),
    ("toml", &["config/"]),
    ("annotate_snippets", &["config/"]),
    ("mio", &["engine/epoll/", "load/"]),
    ("io_uring", &["engine/uring/"]),
    ("axum", &["admin/"]),
    ("prometheus_client", &["admin/"]),
    ("siphasher", &["balance/"]),
    ("ahash", &["flow/", "snapshot/", "worker/", "control/"]),
    ("tokio", &["control/", "admin/", "cli/", "balancer/", "sys/"]),
];

/// Words that say nothing, in a name of ours.
const BANNED_WORDS: &[&str] =
    &["manager", "handler", "helper", "util", "utils", "common", "misc", "data", "info", "context", "processor"];

/// Endings in a digit that mean something outside this project too.
const KNOWN_NUMBERS: &[&str] = &[
    "v1", "v2", "v4", "v6", "ipv4", "ipv6", "p50", "p99", "u8", "u16", "u32", "u64", "i32", "i64", "rfc3339", "utf8",
    "sip13", "socket2",
];

/// Names that others gave: the design, the kernel, a format.
const KNOWN_NAMES: &[&str] = &["WorkerContext", "TcpInfo", "tcp_info", "p99_9"];

const MAX_LINES: usize = 400;
const MAX_COLUMNS: usize = 120;

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    file: String,
    line: usize,
    rule: &'static str,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.rule, self.what)
    }
}

/// What is wrong in a file, with the line.
type Rule = fn(&Source<'_>) -> Vec<(usize, String)>;

/// A source file and what rules need to know of it.
struct Source<'a> {
    /// From the package's root.
    path: &'a str,
    text: &'a str,
    /// The text without comments and literals, line by line as long as the original.
    code: String,
}

impl<'a> Source<'a> {
    fn new(path: &'a str, text: &'a str) -> Self {
        Self { path, text, code: code_of(text) }
    }

    /// The path below `src/`; `None` for tests, benches and examples.
    fn in_src(&self) -> Option<&'a str> {
        self.path.strip_prefix("src/")
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("tests.rs") || self.path.contains("/tests/")
    }

    /// The code before a trailing `#[cfg(test)] mod tests`.
    fn product_code(&self) -> &str {
        let end = self.code.find("#[cfg(test)]\nmod tests {").unwrap_or(self.code.len());
        &self.code[..end]
    }

    fn find(&self, findings: &mut Vec<Finding>) {
        let rules: &[(&'static str, Rule)] = &[
            ("layers", layers),
            ("doors", doors),
            ("size", size),
            ("unsafe", unsafe_code),
            ("clock", clock),
            ("names", names),
            ("columns", columns),
            ("workplace", workplace),
        ];
        for (rule, check) in rules {
            if self.text.contains(&format!("tidy: {rule}, because ")) {
                continue;
            }
            let found = check(self).into_iter();
            findings.extend(found.map(|(line, what)| Finding { file: self.path.to_owned(), line, rule, what }));
        }
    }
}

/// Imports point down the layers.
fn layers(source: &Source<'_>) -> Vec<(usize, String)> {
    let Some(path) = source.in_src().filter(|_path| !source.is_test()) else { return Vec::new() };
    let module = path.split(['/', '.']).next().unwrap_or_default();
    let Some(own) = row(module) else { return vec![(1, format!("`{module}` has no layer: add it to ROWS"))] };
    let mut found = Vec::new();
    for (line, imported) in crate_paths(source.product_code()) {
        let allowed = imported == module || row(&imported).is_none_or(|row| row < own);
        if !allowed {
            found.push((line, format!("`{module}` imports `{imported}`, which is not below it")));
        }
    }
    found
}

fn row(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

/// The first segments of every `crate::…` path, those of `crate::{a::…, b}` included, with their line.
fn crate_paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if at > 0 && is_word(code.as_bytes()[at - 1]) || code[..at].ends_with("::") || code[..at].ends_with('$') {
            continue;
        }
        let line = line_of(code, at);
        let rest = &code[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push((line, leading_word(rest)));
            continue;
        };
        let mut depth = 0;
        let mut first = true;
        for (offset, char) in group.char_indices() {
            match char {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => first = true,
                _ if first && !char.is_whitespace() => {
                    found.push((line_of(code, at + "crate::{".len() + offset), leading_word(&group[offset..])));
                    first = false;
                }
                _ => {}
            }
        }
    }
    found
}

/// Each crate with a door is imported behind it only.
fn doors(source: &Source<'_>) -> Vec<(usize, String)> {
    let Some(path) = source.in_src().filter(|_path| !source.is_test()) else { return Vec::new() };
    let path = path.replace("balancer.rs", "balancer/");
    let mut found = Vec::new();
    for (name, doors) in DOORS {
        if doors.iter().any(|door| path.starts_with(door)) {
            continue;
        }
        for at in words(source.product_code(), name) {
            let (before, after) = (&source.code[..at], &source.code[at + name.len()..]);
            let is_path = after.starts_with("::") && !before.ends_with("::") && !before.ends_with('.');
            if is_path || before.trim_end().ends_with("use") && after.starts_with([';', ' ']) {
                found.push((line_of(&source.code, at), format!("`{name}` is imported in {} only", doors.join(", "))));
            }
        }
    }
    found
}

/// Files end before the reader is lost; tests do not count.
fn size(source: &Source<'_>) -> Vec<(usize, String)> {
    let lines = if source.is_test() { 0 } else { source.product_code().lines().count() };
    let too_long = source.in_src().is_some() && lines > MAX_LINES;
    if too_long { vec![(lines, format!("{lines} lines, more than {MAX_LINES}"))] } else { Vec::new() }
}

/// Unsafe code occurs under `sys/` and in the ring's own folder.
fn unsafe_code(source: &Source<'_>) -> Vec<(usize, String)> {
    let path = source.in_src().unwrap_or_default();
    if path.starts_with("sys/") || path.starts_with("engine/uring/ring/") {
        return Vec::new();
    }
    let lines = words(&source.code, "unsafe").into_iter().map(|at| line_of(&source.code, at));
    lines.map(|line| (line, "unsafe code belongs under src/sys/".to_owned())).collect()
}

/// One file asks the kernel for the time.
fn clock(source: &Source<'_>) -> Vec<(usize, String)> {
    if source.path == "src/time/clock.rs" || source.path.starts_with("bench/") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for name in ["Instant::now", "SystemTime::now", "UNIX_EPOCH.elapsed"] {
        for (at, _) in source.code.match_indices(name) {
            found.push((
                line_of(&source.code, at),
                format!("`{name}`: time is an argument; the clock is src/time/clock.rs"),
            ));
        }
    }
    found
}

/// Names of ours say what they mean.
fn names(source: &Source<'_>) -> Vec<(usize, String)> {
    if source.in_src().is_none() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (line, name) in declared(source.product_code()) {
        if KNOWN_NAMES.contains(&name.as_str()) {
            continue;
        }
        let words = words_of(&name);
        if let Some(word) = words.iter().find(|word| BANNED_WORDS.contains(&word.as_str())) {
            found.push((line, format!("`{name}`: `{word}` says nothing")));
        }
        if words.first().is_some_and(|word| words.len() > 1 && (word == "do" || word == "my")) {
            found.push((line, format!("`{name}`: leave out the first word")));
        }
        let last = words.last().map_or("", String::as_str);
        let numbered = last.ends_with(|c: char| c.is_ascii_digit()) && !KNOWN_NUMBERS.contains(&last);
        if numbered {
            found.push((line, format!("`{name}`: a number is not a name")));
        }
    }
    found
}

/// What the code declares, with its line: items, bindings, fields and arguments.
fn declared(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for word in ["fn", "struct", "enum", "trait", "mod", "const", "static", "type", "let", "let mut", "macro_rules!"] {
        for (at, _) in code.match_indices(&format!("{word} ")) {
            let name = leading_word(&code[at + word.len() + 1..]);
            let whole = at == 0 || !is_word(code.as_bytes()[at - 1]);
            if whole && !name.is_empty() && name != "mut" {
                found.push((line_of(code, at), name));
            }
        }
    }
    // `name: Type` is a field or an argument; `path::name` is not, and neither is a struct literal's field more than
    // its declaration.
    for (at, _) in code.match_indices(": ") {
        let start = code[..at].rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |start| start + 1);
        if start < at && !code[..start].ends_with('.') && code.as_bytes()[start].is_ascii_lowercase() {
            found.push((line_of(code, start), code[start..at].to_owned()));
        }
    }
    found
}

/// No line is wider than the screen, save where a string literal, which rustfmt leaves whole, makes it so.
fn columns(source: &Source<'_>) -> Vec<(usize, String)> {
    let breakable = |text: &str| text.split('"').step_by(2).map(|code| code.chars().count()).sum::<usize>();
    let is_wide = |text: &str| text.chars().count() > MAX_COLUMNS;
    let wide = (1..).zip(source.text.lines()).filter(|(_line, text)| {
        let is_comment = text.trim_start().starts_with("//");
        let is_whole = text.contains("r#\"") || text.ends_with('\\') || breakable(text) <= MAX_COLUMNS;
        let is_literal = !is_comment && is_whole;
        is_wide(text) && !is_literal
    });
    wide.map(|(line, text)| (line, format!("{} columns, more than {MAX_COLUMNS}", text.chars().count()))).collect()
}

/// The text speaks of the project, not of the place or the people where it was written.
fn workplace(source: &Source<'_>) -> Vec<(usize, String)> {
    // In pieces, so that this file does not find itself.
    let told = [
        concat!("/wo", "rk/"),
        concat!("/ho", "me/"),
        concat!("work", "tree"),
        concat!("BRI", "EF.md"),
        concat!("cla", "ude"),
        concat!("anth", "ropic"),
        concat!("chat", "gpt"),
        concat!("language", " model"),
        concat!("sub", "agent"),
        concat!("my ", "machine"),
        concat!("this ", "sandbox"),
        concat!("the ", "lead"),
        concat!("the ", "brief"),
    ];
    let mut found = Vec::new();
    for (line, text) in (1..).zip(source.text.lines()) {
        let text = text.to_lowercase();
        for word in told.iter().filter(|word| text.contains(&word.to_lowercase())) {
            found.push((line, format!("`{word}` is not of this project")));
        }
    }
    found
}

/// `text` with comments, strings and characters blanked out; lines and columns stay.
fn code_of(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let end = at
            + match bytes[at] {
                b'/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
                b'/' if rest.starts_with("/*") => block_comment(rest),
                b'r' | b'b' | b'c' if at == 0 || !is_word(bytes[at - 1]) => raw_string(rest),
                b'"' => string(rest),
                b'\'' => character(rest),
                _ => 0,
            };
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    String::from_utf8_lossy(&code).into_owned()
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of a raw string that begins here, else 0.
fn raw_string(rest: &str) -> usize {
    let body = rest.trim_start_matches(['b', 'c']);
    let Some(body) = body.strip_prefix('r') else { return 0 };
    let hashes = body.len() - body.trim_start_matches('#').len();
    let Some(inner) = body[hashes..].strip_prefix('"') else { return 0 };
    let close = format!("\"{}", "#".repeat(hashes));
    let end = inner.find(&close).map_or(inner.len(), |end| end + close.len());
    rest.len() - inner.len() + end
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    let end = rest.bytes().enumerate().skip(1).find(|(_at, byte)| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.map_or(rest.len(), |(at, _byte)| at + 1)
}

/// The length of a character literal that begins here; 0 for a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => rest[3..].find('\'').map_or(0, |end| end + 4),
        Some(_) => chars.next().filter(|(_, char)| *char == '\'').map_or(0, |(at, _)| at + 1),
        None => 0,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where `word` occurs as a whole word.
fn words(code: &str, word: &str) -> Vec<usize> {
    let bytes = code.as_bytes();
    let whole =
        |at: usize| (at == 0 || !is_word(bytes[at - 1])) && !bytes.get(at + word.len()).is_some_and(|b| is_word(*b));
    code.match_indices(word).map(|(at, _)| at).filter(|at| whole(*at)).collect()
}

fn leading_word(code: &str) -> String {
    code.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// `TcpInfo` and `tcp_info` are both `tcp`, `info`.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for char in name.chars() {
        if char == '_' || (char.is_ascii_uppercase() && !before.is_ascii_uppercase()) {
            words.push(String::new());
        }
        if char != '_' {
            words.last_mut().expect("there is always one word").push(char.to_ascii_lowercase());
        }
        before = char;
    }
    words.retain(|word| !word.is_empty());
    words
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn sources_are_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for dir in ["src", "tests", "bench", "examples"] {
        rust_files(&root.join(dir), &mut files);
    }
    files.sort();
    assert!(files.len() > 20, "the sources were not found");
    let mut findings = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        let path = file.strip_prefix(root).unwrap().to_str().unwrap();
        Source::new(path, &text).find(&mut findings);
    }
    let list = findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(findings.is_empty(), "{} findings:\n{list}", findings.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `rule:line` of everything found.
    fn found(path: &str, text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        Source::new(path, text).find(&mut findings);
        findings.iter().map(|finding| format!("{}:{}", finding.rule, finding.line)).collect()
    }

    const NOTHING: [&str; 0] = [];

    #[test]
    fn an_import_upwards_is_found_and_one_downwards_is_not() {
        assert_eq!(found("src/relay/pace.rs", "use crate::engine::Outbox;\n"), ["layers:1"]);
        assert_eq!(found("src/relay/pace.rs", "use crate::health::Verdict;\n"), ["layers:1"], "nor sideways");
        assert_eq!(
            found("src/engine/a.rs", "use crate::relay::Pace;\nuse crate::engine::b;\nuse crate::model::Name;\n"),
            NOTHING
        );
        assert_eq!(
            found("src/config/a.rs", "fn f() {}\nfn g() { crate::worker::start() }\n"),
            ["layers:2"],
            "paths count too"
        );
        let group = "use crate::{\n    model::{A, B},\n    snapshot::C,\n};\n";
        assert_eq!(found("src/config/a.rs", group), ["layers:3"]);
        assert_eq!(found("src/engine/a.rs", group), NOTHING);
        assert_eq!(found("src/novel/mod.rs", ""), ["layers:1"], "every module has a row");
        assert_eq!(found("src/model/a.rs", "// crate::cli::x\nconst T: &str = \"crate::cli\";\n"), NOTHING);
        assert_eq!(found("src/model/a.rs", "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::cli;\n}\n"), NOTHING);
        assert_eq!(found("src/model/tests.rs", "use crate::cli;\n"), NOTHING);
        assert_eq!(found("src/main.rs", "use crate::cli;\n"), NOTHING);
    }

    #[test]
    fn a_crate_outside_its_door_is_found() {
        assert_eq!(found("src/relay/a.rs", "use libc::c_int;\n"), ["doors:1"]);
        assert_eq!(found("src/worker/a.rs", "fn f() { mio::Poll::new(); }\n"), ["doors:1"]);
        assert_eq!(found("src/snapshot/a.rs", "use toml;\n"), ["doors:1"]);
        assert_eq!(found("src/sys/a.rs", "use libc::c_int;\nuse socket2::Socket;\n"), NOTHING);
        assert_eq!(found("src/engine/epoll/a.rs", "use mio::Poll;\n"), NOTHING);
        assert_eq!(
            found("src/relay/a.rs", "// libc::splice\nfn f(toml: &str) { x.toml(); self::toml::y(); }\n"),
            NOTHING
        );
    }

    #[test]
    fn unsafe_clocks_and_long_files_are_found() {
        assert_eq!(found("src/relay/a.rs", "fn f() {\n    unsafe { g() }\n}\n"), ["unsafe:2"]);
        assert_eq!(found("src/sys/a.rs", "fn f() {\n    unsafe { g() }\n}\n"), NOTHING);
        assert_eq!(found("src/relay/a.rs", "#![deny(unsafe_code)] // unsafe\n"), NOTHING);
        assert_eq!(
            found("src/relay/a.rs", "fn f() { Instant::now(); std::time::SystemTime::now(); }\n"),
            ["clock:1", "clock:1"]
        );
        assert_eq!(found("tests/a.rs", "fn f() { Instant::now(); }\n"), ["clock:1"]);
        assert_eq!(found("src/time/clock.rs", "fn now() { Instant::now(); }\n"), NOTHING);
        let long = "fn f() {}\n".repeat(401);
        assert_eq!(found("src/relay/a.rs", &long), ["size:401"]);
        assert_eq!(found("src/relay/a.rs", &long[10..]), NOTHING);
        assert_eq!(found("src/relay/tests.rs", &long), NOTHING);
        let tested = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
        assert_eq!(found("src/relay/a.rs", &tested), NOTHING);
        assert_eq!(found("src/relay/a.rs", &format!("// tidy: size, because it is a table.\n{long}")), NOTHING);
    }

    #[test]
    fn names_that_say_nothing_are_found() {
        for code in [
            "struct SessionManager;",
            "fn handle_data() {}",
            "fn f(context: u8) {}",
            "struct S { quic_info: u8 }",
            "mod util;",
            "let mut helper = 1;",
            "fn do_it() {}",
            "let my_port = 1;",
            "let addr2 = 1;",
            "fn f(target_3: u8) {}",
        ] {
            assert_eq!(found("src/relay/a.rs", code), ["names:1"], "{code}");
        }
        for code in [
            "struct WorkerContext;",
            "fn handler_less_word() { tracing::info!(1); file.metadata(); }".replace("handler_less_word", "f").as_str(),
            "let prefix_v6 = 1;",
            "struct Database;",
            "fn f(info_: std::fmt::Formatter) {}".replace("info_", "form").as_str(),
            "// the data\nconst INFORM: &str = \"data: x\";",
            "type Down = u64;",
        ] {
            assert_eq!(found("src/relay/a.rs", code), NOTHING, "{code}");
        }
    }

    #[test]
    fn wide_lines_and_talk_of_the_workplace_are_found() {
        assert_eq!(found("tests/a.rs", &format!("// {}\n", "ä".repeat(118))), ["columns:1"]);
        assert_eq!(found("tests/a.rs", &format!("// {}\n", "ä".repeat(117))), NOTHING);
        assert_eq!(found("tests/a.rs", concat!("\n// see /wo", "rk/x\n")), ["workplace:2"]);
        assert_eq!(found("src/relay/a.rs", concat!("// written by Cla", "ude\n")), ["workplace:1"]);
    }

    #[test]
    fn literals_and_comments_are_no_code() {
        let text = "let a = \"unsafe \\\" unsafe\"; /* unsafe \
        /* unsafe */ unsafe */ let b = r#\"unsafe \" unsafe\"#;\n\
        let c = '\"'; let d = '\\''; fn f<'a>(x: &'a str) {} // unsafe";
        let code = code_of(text);
        assert_eq!((words(&code, "unsafe"), code.len(), code.lines().count()), (Vec::new(), text.len(), 2));
        assert!(code.contains("let c =") && code.contains("fn f<'a>(x: &'a str) {}"), "{code}");
    }
}
