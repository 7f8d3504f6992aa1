//! Arguments as one line that a shell would read back.

use crate::text::is_harmful;
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

pub fn line(words: &[OsString]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_@%+=:,./-".contains(c);
    match word.to_str() {
        Some(text) if !text.is_empty() && text.chars().all(plain) => text.to_owned(),
        Some(text) if !text.contains(is_harmful) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => {
            let mut escaped = String::from("$'");
            for &byte in word.as_bytes() {
                match byte {
                    b'\n' => escaped.push_str(r"\n"),
                    b'\t' => escaped.push_str(r"\t"),
                    b'\'' | b'\\' => escaped.extend(['\\', byte as char]),
                    b' '..=b'~' => escaped.push(byte as char),
                    _ => drop(write!(escaped, r"\x{byte:02x}")),
                }
            }
            escaped + "'"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_written() {
        for word in ["plain", "", "two words", "it's", "a\tb\nc", "\u{1}\\'\"$", "--", "ü", "ü\n", "\u{202e}"] {
            let script = format!("printf %s {}", quoted(OsStr::new(word)));
            let printed = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
            assert_eq!(printed.stdout, word.as_bytes(), "{script}");
            assert!(!script.contains(is_harmful));
        }
    }
}
