//! House rules that a machine can check: sizes, characters, directions of imports, and names that
//! belong in one place only.

use std::fs;
use std::path::{Path, PathBuf};

/// Longest file, in lines.
const FILE_LINES_MAX: usize = 800;

/// Longest function, in lines, from `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a directory whose names end so, sorted.
fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        let Ok(entries) = fs::read_dir(&directory) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn rust_files() -> Vec<(String, String)> {
    files(root(), "rs").iter().map(|path| read(path)).collect()
}

/// A file's path below the root, and its text.
fn read(path: &Path) -> (String, String) {
    let name = path
        .strip_prefix(root())
        .unwrap()
        .to_string_lossy()
        .into_owned();
    (name, fs::read_to_string(path).unwrap())
}

fn fail_if_any(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn files_are_short() {
    let long: Vec<String> = rust_files()
        .into_iter()
        .map(|(name, text)| (name, text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(name, lines)| format!("{name}: {lines} lines"))
        .collect();
    fail_if_any("files too long", &long);
}

/// Relies on rustfmt: a function's closing brace is indented as its `fn` is.
#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    for (name, text) in rust_files() {
        let lines: Vec<&str> = text.lines().collect();
        for (first, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            let indent = &line[..line.len() - code.len()];
            let is_function = code.split(['(', '<']).next().is_some_and(|head| {
                head.split_whitespace().rev().nth(1) == Some("fn") && !head.starts_with("//")
            });
            if !is_function {
                continue;
            }
            let closing = format!("{indent}}}");
            let end = lines[first..].iter().position(|line| {
                **line == closing
                    || line.ends_with(';')
                        && line.starts_with(indent)
                        && !line.starts_with(&format!("{indent} "))
            });
            let length = end.map_or(0, |end| end + 1);
            if length > FUNCTION_LINES_MAX {
                long.push(format!("{name}:{}: {length} lines", first + 1));
            }
        }
    }
    fail_if_any("functions too long", &long);
}

#[test]
fn text_is_ascii() {
    let mut others = Vec::new();
    let documents = files(root(), "md").into_iter().chain(files(root(), "scn"));
    let all = rust_files()
        .into_iter()
        .chain(documents.map(|path| read(&path)));
    for (name, text) in all {
        for (line, content) in text.lines().enumerate() {
            if !content.is_ascii() {
                others.push(format!("{name}:{}: {content}", line + 1));
            }
        }
    }
    fail_if_any("characters outside ASCII", &others);
}

/// Never: lockmgr to wal or engine, wal to engine or lockmgr, engine to sql or lab, sql to lab.
#[test]
fn imports_point_downwards() {
    let forbidden = [
        (
            "lockmgr/src/",
            vec!["gaplock_engine", "gaplock_wal", "gaplock::"],
        ),
        (
            "wal/src/",
            vec!["gaplock_engine", "gaplock_lockmgr", "gaplock::"],
        ),
        ("engine/src/", vec!["gaplock::", "sqlparser"]),
        ("src/sql/", vec!["crate::lab", "super::lab"]),
    ];
    let mut upward = Vec::new();
    for (name, text) in rust_files() {
        for (place, names) in &forbidden {
            if !name.starts_with(place) {
                continue;
            }
            for (line, content) in text.lines().enumerate() {
                let code = content.split("//").next().unwrap_or_default();
                if names.iter().any(|name| code.contains(name)) {
                    upward.push(format!("{name}:{}: {}", line + 1, content.trim()));
                }
            }
        }
    }
    fail_if_any("imports that point upwards", &upward);
}

/// Files that are compiled for tests only: `#[cfg(test)] mod name;`.
fn test_modules(all: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in all {
        let directory = Path::new(name).parent().unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]") {
            let module = pair[1]
                .strip_prefix("mod ")
                .and_then(|rest| rest.strip_suffix(';'));
            let file = module.map(|module| directory.join(format!("{module}.rs")));
            found.extend(file.map(|file| file.to_string_lossy().into_owned()));
        }
    }
    found
}

/// Code asks for facts. Names of releases stand in the profiles, in comments and in tests.
#[test]
fn releases_are_named_in_profiles_only() {
    let families = ["\"mysql-", "\"mariadb-", "\"aurora-"];
    let mut named = Vec::new();
    let all = rust_files();
    let of_tests = test_modules(&all);
    for (name, text) in all {
        let exempt = name.starts_with("engine/src/profile")
            || ["tests", "examples/", "benches/", "fuzz/"]
                .iter()
                .any(|place| name.contains(place))
            || of_tests.contains(&name);
        if exempt {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (line, content) in code.lines().enumerate() {
            let code = content.split("//").next().unwrap_or_default();
            if families.iter().any(|family| code.contains(family)) {
                named.push(format!("{name}:{}: {}", line + 1, content.trim()));
            }
        }
    }
    fail_if_any("releases named outside the profiles", &named);
}

#[test]
fn every_scenario_opens_with_its_story() {
    let silent: Vec<String> = files(&root().join("scenarios"), "scn")
        .iter()
        .map(|path| read(path))
        .filter(|(_, text)| !text.starts_with("# "))
        .map(|(name, _)| name)
        .collect();
    fail_if_any("scenarios without an opening comment", &silent);
}
