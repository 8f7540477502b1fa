//! The configuration from outside: every file under `tests/config` is checked, and what is said about it, for people
//! and for programs, is compared with the golden file next to it. `UPDATE_GOLDEN=1` rewrites the golden files.

use forebay::config::{self, Severity};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    files
}

/// Compares with the golden file, or writes it.
fn golden(path: &Path, actual: &str) -> Result<(), String> {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, actual).expect("a writable golden file");
        return Ok(());
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected == actual {
        return Ok(());
    }
    Err(format!("{} differs.\n--- expected\n{expected}\n--- actual\n{actual}", path.display()))
}

#[test]
fn every_kind_of_problem_reads_as_its_golden_files_say() {
    let mut wrong = Vec::new();
    for path in files("tests/config", "toml") {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let parsed = config::parse(name, &text);
        let ok = parsed.config.is_some();
        assert_eq!(ok, !parsed.diagnostics.iter().any(|d| d.severity == Severity::Error), "{name}");
        let answer = json!({ "ok": ok, "diagnostics": parsed.diagnostics, "summary": parsed.summary });
        let rendered = config::render(&parsed.diagnostics, &text, false);
        wrong.extend(golden(&path.with_extension("json"), &format!("{answer:#}\n")).err());
        wrong.extend(golden(&path.with_extension("stderr"), &rendered).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn shipped_files_are_valid_without_warnings() {
    for path in files("config", "toml") {
        let (_config, warnings) = config::load(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(warnings, [], "{}", path.display());
    }
}
