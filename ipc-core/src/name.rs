//! Where every object name is judged: one leading slash, no other, 1 to 255 bytes behind it. And
//! every path.

use crate::error::{Error, Object, Result};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// How many bytes a name may have behind its slash.
pub(crate) const NAME_MAX: usize = 255;

/// A valid object name, "/orders".
#[derive(Clone, Debug)]
pub(crate) struct Name(Arc<str>);

impl Name {
    /// Judges `text`; `longest` is what the kind of object allows behind the slash.
    pub fn new(operation: &'static str, text: &str, longest: usize) -> Result<Name> {
        let refuse = |errno, cause: String| Err(Error::new(operation, Object::Name(text.into()), errno, cause));
        let Some(rest) = text.strip_prefix('/') else {
            return refuse(libc::EINVAL, format!("a name begins with a slash, as in \"/{}\"", text.escape_debug()));
        };
        if rest.is_empty() || rest == "." || rest == ".." {
            return refuse(
                libc::EINVAL,
                "a name has at least one character behind the slash, and is not . or ..".into(),
            );
        }
        if rest.contains('/') {
            return refuse(libc::EINVAL, "a name has one slash, at its beginning: it is no path".into());
        }
        if rest.contains('\0') {
            return refuse(libc::EINVAL, "a name has no NUL byte".into());
        }
        if rest.len() > longest {
            return refuse(
                libc::ENAMETOOLONG,
                format!("the name has {} bytes behind the slash; at most {longest} fit", rest.len()),
            );
        }
        Ok(Name(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as a file name behind `prefix`: "/orders" with prefix "sem." is "sem.orders".
    pub fn file(&self, prefix: &str) -> CString {
        CString::new(format!("{prefix}{}", &self.0[1..])).expect("Name::new refuses NUL")
    }

    /// As [`file`](Self::file); where the prefix makes it too long for a file system, the prefix and a digest.
    pub fn file_or_digest(&self, prefix: &str) -> CString {
        if prefix.len() + self.0.len() - 1 <= NAME_MAX {
            return self.file(prefix);
        }
        // FNV-1a. It need not withstand anybody: the object bears its whole name inside.
        let digest = self.0.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |digest: u128, byte| {
            (digest ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b)
        });
        CString::new(format!("{}~{digest:032x}", prefix.trim_end_matches('.'))).expect("no part has a NUL")
    }
}

/// `path` as the kernel takes it.
pub(crate) fn path(operation: &'static str, path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::new(operation, path, libc::EINVAL, "a path has no NUL byte"))
}

impl From<&Name> for Object {
    fn from(name: &Name) -> Object {
        Object::Name(name.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    fn errno(text: &str) -> i32 {
        Name::new("open queue", text, 255).unwrap_err().errno()
    }

    #[test]
    fn a_name_is_one_slash_and_up_to_255_bytes() {
        assert_eq!(Name::new("", "/orders", 255).unwrap().file("sem.").as_bytes(), b"sem.orders");
        assert!(Name::new("", &format!("/{}", "x".repeat(255)), 255).is_ok());
        assert_eq!(errno(&format!("/{}", "x".repeat(256))), libc::ENAMETOOLONG);
        for bad in ["", "orders", "/", "/a/b", "//a", "/a/", "/.", "/..", "/a\0b"] {
            assert_eq!(errno(bad), libc::EINVAL, "{bad:?}");
        }
    }
}
