//! `include/unipc.h` is what cbindgen makes of these sources, and says what it promises to say.

use std::fs;
use std::path::{Path, PathBuf};

fn crate_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn committed() -> PathBuf {
    crate_root().join("../include/unipc.h")
}

fn generate(root: &Path) -> String {
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    let version = [
        ("@MAJOR@", env!("CARGO_PKG_VERSION_MAJOR")),
        ("@MINOR@", env!("CARGO_PKG_VERSION_MINOR")),
        ("@PATCH@", env!("CARGO_PKG_VERSION_PATCH")),
    ];
    for (place, number) in version {
        config.header = config.header.map(|text| text.replace(place, number));
    }
    let mut text = Vec::new();
    cbindgen::generate_with_config(root, config).expect("cbindgen reads the sources").write(&mut text);
    String::from_utf8(text).expect("a header in UTF-8")
}

/// The comment and the name of each function declared in `header`.
fn functions(header: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for block in header.split("/**").skip(1) {
        let Some((comment, rest)) = block.split_once("*/") else { continue };
        let declaration = rest.split(';').next().unwrap_or("");
        let Some((before, _)) = declaration.split_once('(') else { continue };
        let name = before.rsplit([' ', '*']).next().unwrap_or("");
        if name.starts_with("unipc_") && !declaration.contains('#') {
            found.push((comment, name));
        }
    }
    found
}

#[test]
fn the_committed_header_is_the_one_that_these_sources_give() {
    let fresh = generate(&crate_root());
    if std::env::var_os("UNIPC_BLESS").is_some() {
        fs::write(committed(), &fresh).expect("include/unipc.h can be written");
        return;
    }
    let stands = fs::read_to_string(committed()).expect("include/unipc.h");
    let differs = stands.lines().zip(fresh.lines()).position(|(stands, fresh)| stands != fresh);
    assert!(
        stands == fresh,
        "include/unipc.h is stale, from line {}: run `make header`",
        differs.unwrap_or(stands.lines().count().min(fresh.lines().count())) + 1
    );
}

#[test]
fn the_version_macros_are_the_version_of_the_package() {
    let header = fs::read_to_string(committed()).expect("include/unipc.h");
    for (part, number) in [
        ("MAJOR", env!("CARGO_PKG_VERSION_MAJOR")),
        ("MINOR", env!("CARGO_PKG_VERSION_MINOR")),
        ("PATCH", env!("CARGO_PKG_VERSION_PATCH")),
    ] {
        let line = format!("#define UNIPC_VERSION_{part} {number}\n");
        assert!(header.contains(&line), "no {line}");
    }
}

#[test]
fn every_function_says_who_owns_how_long_it_blocks_what_fails_and_who_may_call_it() {
    let header = fs::read_to_string(committed()).expect("include/unipc.h");
    let functions = functions(&header);
    assert!(functions.len() > 80, "only {} functions found", functions.len());
    for (comment, name) in functions {
        for label in ["Ownership:", "Blocking:", "Errors:", "Safety: threads:", "fork:", "signals:"] {
            assert!(comment.contains(label), "{name} does not say '{label}'");
        }
        let ours_alone = ["unipc_version", "unipc_last_error"].contains(&name);
        assert!(ours_alone || comment.contains("- See: "), "{name} does not say which page it follows");
        let tells = comment.contains("@return") || ours_alone || name == "unipc_free";
        assert!(tells, "{name} does not say what it returns");
    }
}
