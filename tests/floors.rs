//! A module uses lower floors and its own: a `use` that goes up is a fault.

use std::fs;
use std::path::Path;

/// The floors, the lowest first. A module that is not named stands where its parent does.
const FLOORS: [&[&str]; 10] = [
    &["mask", "utf8", "error", "extension", "origin"],
    &["close", "frame", "deflate"],
    &["config", "buffer", "trace"],
    &["timing"],
    &[
        "connection::event",
        "connection::reply",
        "connection::prepared",
        "connection::statistics",
        "connection::incoming",
        "connection::outgoing",
    ],
    &["connection"],
    &["handshake"],
    &["dial::uri"],
    &["adapter", "message", "json", "dial", "blocking", "tokio", "http"],
    &["test_kit"],
];

fn floor(module: &str) -> Option<usize> {
    let named = FLOORS.iter().position(|names| names.contains(&module));
    named.or_else(|| floor(module.rsplit_once("::")?.0))
}

/// Every module of the crate below its root, and its source.
fn modules() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut modules) = (vec![root.clone()], vec![]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of sources can be listed") {
            let path = entry.expect("it is listed").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).expect("it lies below").with_extension("");
            let name: Vec<_> = name.iter().map(|part| part.to_string_lossy()).collect();
            if name != ["lib"] && path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&path).expect("a source can be read");
                modules.push((name.join("::"), source));
            }
        }
    }
    modules
}

/// What the `use` declarations of a source name, each as one path.
fn used(source: &str) -> Vec<String> {
    let code: Vec<&str> =
        source.lines().map(str::trim).filter(|line| !line.starts_with("//")).collect();
    let code = code.join(" ");
    let mut paths = vec![];
    for statement in code.split([';', '{', '}']).map(str::trim) {
        // A group is cut off here; what stands before it is looked up again for the whole of it.
        let start = ["use ", "pub use ", "pub(crate) use ", "pub(super) use "];
        let tree = start.iter().find_map(|start| statement.strip_prefix(start));
        if let Some(tree) = tree {
            let at = tree.as_ptr() as usize - code.as_ptr() as usize;
            let end = code[at..].find(';').map_or(code.len(), |len| at + len);
            expand("", &code[at..end], &mut paths);
        }
    }
    paths
}

/// Unfolds `a::{b, c::{d, e}}`.
fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let Some((head, group)) = tree.split_once('{') else {
        return paths.push(format!("{prefix}{}", tree.trim()));
    };
    let prefix = format!("{prefix}{}", head.trim());
    let group = group.trim_end().strip_suffix('}').expect("a group ends");
    let (mut depth, mut start) = (0, 0);
    for (i, c) in group.char_indices().chain([(group.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !group[start..i].trim().is_empty() {
                    expand(&prefix, &group[start..i], paths);
                }
                start = i + 1;
            }
            _ => {}
        }
    }
}

/// The module that a path means, of all that there are. A path of another crate, or to what the
/// module that holds this one says itself, means none.
fn target(module: &str, path: &str, all: &[&str]) -> Result<Option<String>, String> {
    let (inside, root) = match path.split_once("::") {
        Some(("crate", rest)) => (rest.to_owned(), true),
        Some(("super", rest)) => match module.rsplit_once("::") {
            Some((parent, _)) => (format!("{parent}::{rest}"), false),
            None => return Ok(None), // a module of tests, in the module itself
        },
        _ => return Ok(None),
    };
    let ends = inside.match_indices("::").map(|(end, _)| end).chain([inside.len()]);
    let found = ends.map(|end| &inside[..end]).filter(|name| all.contains(name)).last();
    match found {
        Some(parent) if !root && module.rsplit_once("::").map(|(p, _)| p) == Some(parent) => {
            Ok(None)
        }
        Some(found) => Ok(Some(found.to_owned())),
        None if root => Err(format!("{module} uses {path}: name the module that it lives in")),
        None => Ok(None),
    }
}

/// What is wrong with the `use` declarations of a module.
fn faults(module: &str, source: &str, all: &[&str]) -> Vec<String> {
    let Some(own) = floor(module) else {
        return vec![format!("{module} stands on no floor: give it a place in the table")];
    };
    let mut faults = vec![];
    for path in used(source) {
        match target(module, &path, all) {
            Err(fault) => faults.push(fault),
            Ok(None) => {}
            Ok(Some(used)) => match floor(&used) {
                Some(floor) if floor <= own => {}
                Some(floor) => faults.push(format!(
                    "{module} on floor {own} uses {path}, which goes up to floor {floor}"
                )),
                None => faults.push(format!("{used} stands on no floor, and {module} uses it")),
            },
        }
    }
    faults
}

#[test]
fn no_module_uses_a_higher_floor() {
    let modules = modules();
    let all: Vec<&str> = modules.iter().map(|(name, _)| name.as_str()).collect();
    let faults: Vec<String> =
        modules.iter().flat_map(|(module, source)| faults(module, source, &all)).collect();
    assert_eq!(faults, [""; 0], "\n{}", faults.join("\n"));
}

#[test]
fn every_name_in_the_table_is_a_module() {
    let modules = modules();
    for name in FLOORS.iter().copied().flatten() {
        assert!(modules.iter().any(|(module, _)| module == name), "there is no module {name}");
    }
}

#[test]
fn an_edge_that_goes_up_is_told_however_it_is_written() {
    let all =
        ["mask", "frame", "connection", "connection::event", "connection::reply", "tokio", "new"];
    // (module, source, how many faults)
    let table = [
        ("frame", "use crate::mask::Mask;", 0),
        ("frame", "//! use crate::tokio;\nuse core::fmt;", 0),
        ("mask", "use crate::frame::Opcode;", 1),
        ("mask", "fn f() {\n    use crate::frame::Opcode;\n}", 1),
        ("mask", "pub(crate) use crate::{\n    frame::{FrameHeader, Opcode},\n    tokio,\n};", 3),
        ("connection::event", "use super::reply::Reply;\nuse super::Role;", 0),
        ("connection::event", "use super::{Role, reply::Reply};", 0),
        ("connection::event", "use crate::connection::Role;", 1),
        ("connection", "use crate::tokio::WebSocket;", 1),
        ("tokio::link", "use super::pool;\nuse crate::connection::event::Event;", 0),
        ("tokio", "use crate::Error;", 1),
        ("new", "", 1),
        ("tokio", "use crate::new::New;", 1),
        ("mask", "mod tests {\n    use super::*;\n}", 0),
    ];
    for (module, source, expected) in table {
        let faults = faults(module, source, &all);
        assert_eq!(faults.len(), expected, "{module}: {source}: {faults:?}");
    }
}
