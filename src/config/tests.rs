//! Claims about the configuration that need its insides, and claims over generated files.

use super::keys::{Kind, ROOT, SECTIONS, Section};
use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

const EVERY_KEY: &str = include_str!("../../config/forebay.toml");
const MINIMAL: &str = include_str!("../../config/minimal.toml");

fn codes(text: &str) -> Vec<&'static str> {
    parse("f.toml", text).diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

fn accepted(text: &str) -> Config {
    let parsed = parse("f.toml", text);
    parsed.config.unwrap_or_else(|| panic!("{}", render(&parsed.diagnostics, text, false)))
}

/// The keys that users were promised, by table; a table is named as the path of its section.
const CONTRACT: &[(&str, &str)] = &[
    ("", "runtime admin log access_log listeners target_groups"),
    (
        "runtime",
        "workers engine pin_workers max_connections max_flows shutdown_timeout drain_delay upgrade_timeout user sandbox",
    ),
    ("admin", "listen token_file"),
    ("log", "level format"),
    ("access_log", "path format"),
    (
        "listeners.NAME",
        "protocol bind target_group forward forward_key rules mirror allow deny max_connections accept_proxy \
         proxy_trusted proxy_header_timeout backlog idle_timeout half_close_timeout max_lifetime keepalive \
         congestion_control requests responses on_full dont_fragment client_limit",
    ),
    ("listeners.NAME.forward", "target_group weight"),
    ("listeners.NAME.rules", "source destination destination_ports target_group"),
    ("listeners.NAME.mirror", "target_group share"),
    (
        "listeners.NAME.client_limit",
        "prefix_v4 prefix_v6 max_connections new_per_second burst packets_per_second bytes_per_second action",
    ),
    (
        "target_groups.NAME",
        "targets balance hash_key hash_prefix_v4 hash_prefix_v6 hash_seed table_size payload_offset payload_length \
         quic_server_id_offset quic_server_id_length quic_cid_prefix send_proxy send_proxy_tlvs preserve_client \
         source_addresses max_connections slow_start drain_timeout fail_open_below on_unhealthy connect health_check \
         outlier discovery",
    ),
    ("target_groups.NAME.connect", "timeout attempts deadline retry_budget"),
    (
        "target_groups.NAME.health_check",
        "protocol port source_address interval timeout jitter healthy_threshold unhealthy_threshold fast_interval \
         send expect path host expect_status agent_port",
    ),
    (
        "target_groups.NAME.outlier",
        "consecutive_failures failure_percent min_volume window base_ejection max_ejection max_ejected \
         early_close_window icmp unanswered_flows",
    ),
    ("target_groups.NAME.discovery", "dns type port min_ttl max_ttl servers file"),
    ("target_groups.NAME.targets", "id address weight backup max_connections state quic_server_id"),
];

#[test]
fn the_keys_are_those_that_users_were_promised() {
    assert_eq!(SECTIONS.len(), CONTRACT.len());
    for (path, promised) in CONTRACT {
        let section = SECTIONS.iter().find(|section| section.path == *path).expect("a section for every table");
        let known: BTreeSet<&str> = section.keys.iter().map(|key| key.name).collect();
        assert_eq!(known, promised.split_whitespace().collect(), "[{path}]");
    }
}

/// A document with `line` where `section` stands.
fn document(section: &Section, line: &str) -> String {
    match section.path.replace("NAME", "x").as_str() {
        "" => format!("{line}\n"),
        "listeners.x.forward" | "listeners.x.rules" | "target_groups.x.targets" => {
            format!("[[{}]]\n{line}\n", section.path.replace("NAME", "x"))
        }
        path => format!("[{path}]\n{line}\n"),
    }
}

fn schema_keys(schema: &serde_json::Value) -> BTreeSet<&str> {
    schema["properties"].as_object().expect("a table has properties").keys().map(String::as_str).collect()
}

#[test]
fn schema_and_check_know_the_same_keys() {
    let schema = schema();
    let mut tables = vec![(&ROOT, &schema)];
    let mut visited = 0;
    while let Some((section, node)) = tables.pop() {
        visited += 1;
        for name in schema_keys(node) {
            let codes = codes(&document(section, &format!("{name} = 1979-05-27")));
            assert!(!codes.contains(&"unknown_key"), "[{}] {name}: {codes:?}", section.path);
            let property = &node["properties"][name];
            assert!(property["description"].as_str().is_some_and(|text| text.len() > 5), "{name}");
            match section.key(name).map(|key| &key.kind) {
                Some(Kind::Table(inner)) => tables.push((inner, property)),
                Some(Kind::Named(inner)) => tables.push((inner, &property["additionalProperties"])),
                Some(Kind::Tables(inner)) => tables.push((inner, &property["items"])),
                Some(Kind::Targets(inner)) => tables.push((inner, &property["items"]["anyOf"][1])),
                other => assert!(other.is_some(), "[{}] {name} is in the schema alone", section.path),
            }
        }
        assert!(codes(&document(section, "no_such_key = 1")).contains(&"unknown_key"), "[{}]", section.path);
        assert_eq!(schema_keys(node).len(), section.keys.len());
    }
    assert_eq!(visited, SECTIONS.len());
}

#[test]
fn the_documented_file_mentions_every_key() {
    let mentioned = |name: &str| {
        EVERY_KEY.lines().any(|line| {
            let line = line.trim_start_matches("# ");
            line.contains(&format!("{name} = ")) || line.trim_matches(['[', ']']).split('.').any(|part| part == name)
        })
    };
    for section in SECTIONS {
        for key in section.keys {
            assert!(mentioned(key.name), "[{}] {}", section.path, key.name);
        }
    }
}

#[test]
fn the_documented_file_sets_nothing_but_defaults() {
    let documented = &accepted(EVERY_KEY);
    let minimal = &accepted(MINIMAL);
    let web = |config: &Config| config.target_groups.iter().find(|group| &*group.name == "web").cloned();
    let (mut documented_group, mut minimal_group) = (web(documented).expect("web"), web(minimal).expect("web"));
    assert!(documented_group.health_check.take().is_some());
    documented_group.targets.clear();
    minimal_group.targets.clear();
    assert_eq!(documented_group, minimal_group);
    assert_eq!(documented.listeners[1], minimal.listeners[0]);
    assert_eq!((&documented.runtime, &documented.admin), (&minimal.runtime, &minimal.admin));
    assert_eq!((&documented.log, &documented.access_log), (&minimal.log, &minimal.access_log));
}

#[test]
fn defaults_of_the_schema_are_what_an_empty_table_means() {
    let text = "[listeners.x]\nbind = \"127.0.0.1:1\"\ntarget_group = \"x\"\n[target_groups.x]\n\
                [target_groups.x.health_check]\n[[target_groups.x.targets]]\naddress = \"10.0.0.1:1\"\n";
    let shown = to_json(&accepted(text));
    let group = &shown["target_groups"]["x"];
    let tables = [
        (&keys::RUNTIME, &shown["runtime"]),
        (&keys::ADMIN, &shown["admin"]),
        (&keys::LOG, &shown["log"]),
        (&keys::ACCESS_LOG, &shown["access_log"]),
        (&keys::LISTENER, &shown["listeners"]["x"]),
        (&keys::TARGET_GROUP, group),
        (&keys::CONNECT, &group["connect"]),
        (&keys::HEALTH_CHECK, &group["health_check"]),
        (&keys::OUTLIER, &group["outlier"]),
        (&keys::TARGET, &group["targets"][0]),
    ];
    let meaning = |value: &serde_json::Value| match value.as_str().map(values::duration) {
        Some(Ok(duration)) => serde_json::json!(values::duration_text(duration)),
        _ => value.clone(),
    };
    for (section, table) in tables {
        let own = |key: &&keys::Key| key.scope != keys::Scope::Udp;
        for key in section.keys.iter().filter(own) {
            let value = table.get(key.name).unwrap_or_else(|| panic!("[{}] {} is not shown", section.path, key.name));
            if let Ok(default) = serde_json::from_str::<serde_json::Value>(key.default)
                && key.name != "targets"
            {
                assert_eq!(meaning(value), meaning(&default), "[{}] {}", section.path, key.name);
            }
        }
    }
}

/// A shown configuration as a file: nulls are absences, and `target_group` only repeats `forward`.
fn as_file(mut shown: serde_json::Value) -> String {
    fn prune(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(table) => {
                if table.contains_key("forward") {
                    table.remove("target_group");
                }
                table.retain(|_, value| !value.is_null());
                table.values_mut().for_each(prune);
            }
            serde_json::Value::Array(elements) => elements.iter_mut().for_each(prune),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_) => {}
        }
    }
    prune(&mut shown);
    toml::to_string(&shown).expect("a shown configuration is tables, arrays and scalars")
}

#[test]
fn a_shown_configuration_reads_back_as_itself() {
    let rich = r#"
        [runtime]
        workers = 3
        max_connections = 5000
        [admin]
        listen = ["unix:/tmp/a.sock", "127.0.0.1:0"]
        token_file = "/etc/token"
        [access_log]
        path = "/var/log/f.log"
        [listeners.a]
        bind = ["[::ffff:127.0.0.1]:7000-7009", "[::1]:0"]
        forward = [{ target_group = "x", weight = 0 }, { target_group = "y" }]
        rules = [{ source = ["::ffff:10.0.0.0/104", "2001:db8::/32"], destination_ports = [80, "90-99"], target_group = "x" }]
        deny = ["10.1.2.3"]
        idle_timeout = "90s"
        keepalive = "0s"
        [target_groups.x]
        targets = ["10.0.0.1", "[2001:db8::1]:80", { id = "ä b", address = "::ffff:10.0.0.3", weight = 0, state = "disabled" }]
        balance = "maglev"
        hash_key = "source_prefix"
        hash_prefix_v4 = 20
        fail_open_below = "never"
        health_check = { port = 99, send = "hex:000d", expect = "+PONG", interval = "250ms", source_address = "127.0.0.9" }
        outlier = { consecutive_failures = 4, base_ejection = "3s" }
        [target_groups.y]
        targets = [{ address = "10.0.0.1:80", backup = true, max_connections = 7 }]
        health_check = { protocol = "http", path = "/up", host = "a.b", expect_status = "200,301-302" }
    "#;
    for text in [EVERY_KEY, MINIMAL, rich] {
        let config = accepted(text);
        let file = as_file(to_json(&config));
        let again = parse("shown.toml", &file);
        let again = again.config.unwrap_or_else(|| panic!("{}", render(&again.diagnostics, &file, false)));
        assert_eq!(again, config);
    }
}

#[test]
fn ipv4_mapped_addresses_are_ipv4() {
    let config = accepted(
        "[listeners.x]\nbind = \"[::ffff:127.0.0.1]:1\"\ntarget_group = \"x\"\nallow = [\"::ffff:10.0.0.0/104\"]\n\
         [target_groups.x]\ntargets = [\"[::ffff:10.0.0.1]:80\"]\nsource_addresses = [\"::ffff:127.0.0.2\"]\n",
    );
    assert_eq!(config.listeners[0].bind[0].ip, std::net::IpAddr::from([127, 0, 0, 1]));
    assert_eq!(config.listeners[0].allow[0].to_string(), "10.0.0.0/8");
    assert_eq!(config.target_groups[0].targets[0].address.at(0).to_string(), "10.0.0.1:80");
    assert_eq!(config.target_groups[0].source_addresses[0].to_string(), "127.0.0.2");
}

#[test]
fn what_follows_a_line_that_cannot_be_read_is_still_checked() {
    let text = "[listeners.web\nbind = \"0.0.0.0:80\"\ntarget_group = \"web\"\nbacklog 5\nidle_timeout = \"5\"\n\
                [target_groups.web]\ntargets = [\"10.0.0.1:80\"]\nbalance = maglev\nweight = 1\n";
    let found: Vec<_> = parse("f", text).diagnostics.iter().map(|d| (d.code, d.line, d.column)).collect();
    assert_eq!(
        found,
        [("syntax", 1, 1), ("syntax", 4, 1), ("invalid_value", 5, 16), ("syntax", 8, 11), ("unknown_key", 9, 1)],
        "the mended header shifts no later place"
    );
}

#[test]
fn columns_count_characters() {
    let text = "[listeners.web]\nbind = \"0.0.0.0:80\" # ä\ntarget_group = \"w\"\n[target_groups.w]\n\
                targets = [{ id = \"äöü\", address = \"10.0.0.1:80\", wight = 1 }]\n";
    let parsed = parse("f", text);
    let places: Vec<_> = parsed.diagnostics.iter().map(|d| (d.code, d.line, d.column, d.end_column)).collect();
    assert_eq!(places, [("unknown_key", 5, 51, 56)]);
}

#[test]
fn a_flood_of_problems_is_cut_off_and_still_refused() {
    let many: Vec<String> = (0..5000).map(|n| format!("\"10.{}.{}.1/8\"", n / 250, n % 250)).collect();
    let text =
        format!("[listeners.l]\nbind = \"127.0.0.1:1\"\ntarget_group = \"g\"\ndeny = [{}]\nx = 1\n", many.join(",\n"));
    let parsed = parse("f", &format!("{text}[target_groups.g]\ntargets = [\"10.0.0.1:1\"]\n"));
    assert!(parsed.config.is_none(), "the one error is at the end, behind 5,000 warnings");
    assert_eq!(parsed.diagnostics.len(), problems::MAX_DIAGNOSTICS + 1);
    assert!(parsed.diagnostics.iter().any(|diagnostic| diagnostic.code == "unknown_key"));
}

/// Whatever the text: no panic, `config` exactly when there is no error, and every place inside the text.
fn withstands(text: &str) {
    let parsed = parse("f.toml", text);
    let errors = parsed.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    assert_eq!(parsed.config.is_none(), errors);
    for diagnostic in &parsed.diagnostics {
        assert!(text.get(diagnostic.span.clone()).is_some(), "{diagnostic:?}");
        assert!(diagnostic.line >= 1 && diagnostic.column >= 1);
        assert!((diagnostic.line, diagnostic.column) <= (diagnostic.end_line, diagnostic.end_column));
    }
    let mut places = parsed.diagnostics.iter().map(|diagnostic| (diagnostic.span.start, diagnostic.span.end));
    assert!(places.by_ref().is_sorted(), "file order");
    drop(render(&parsed.diagnostics, text, text.len().is_multiple_of(2)));
    if let Some(config) = parsed.config {
        drop(to_json(&config));
    }
}

/// Pieces that break things when they stand in the wrong place.
const PIECES: &[&str] = &[
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    "\"",
    "'",
    "\"\"\"",
    "\n",
    "\r\n",
    ",",
    ".",
    "#",
    "\\",
    "\0",
    "\t",
    "é",
    "漢",
    "🦀",
    "0s",
    "-1",
    "99999999999999999999999",
    "1.5",
    "true",
    "1979-05-27",
    "0x",
    "[listeners.web]",
    "\u{feff}",
    "\u{202e}",
    "\"[::]:80\"",
    "\"0.0.0.0:0-0\"",
    "\"%\"",
    "\"hex:0\"",
    "[target_groups.web]",
    "[[listeners]]",
    "listeners = 1\n",
    "a.b.c = 1\n",
];

fn mutated() -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), 0..24_usize, prop::sample::select(PIECES));
    (prop::sample::select(&[EVERY_KEY, MINIMAL][..]), prop::collection::vec(edit, 0..8)).prop_map(|(file, edits)| {
        let mut text = file.to_owned();
        for (place, removed, piece) in edits {
            let start = text.floor_char_boundary(place.index(text.len() + 1));
            let end = text.floor_char_boundary((start + removed).min(text.len())).max(start);
            text.replace_range(start..end, piece);
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_of_a_valid_file_makes_parse_panic(text in mutated()) {
        withstands(&text);
    }

    #[test]
    fn no_text_makes_parse_panic(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        withstands(&pieces.concat());
    }

    #[test]
    fn every_duration_reads_back(milliseconds in 0..=values::MAX_DURATION.as_millis()) {
        let value = std::time::Duration::from_millis(u64::try_from(milliseconds).expect("ten years fit"));
        prop_assert_eq!(values::duration(&values::duration_text(value)), Ok(value));
    }

    #[test]
    fn no_string_makes_a_grammar_panic(text in "\\PC{0,24}|[0-9a-f:.\\[\\]/%-]{0,24}") {
        drop(values::bind(&text));
        drop(values::target(&text));
        drop(values::prefix(&text));
        drop(values::ports(&text));
        drop(values::duration(&text));
        drop(values::percent(&text));
        drop(values::statuses(&text));
        drop(values::bytes(&text));
        drop(values::admin(&text));
    }
}
