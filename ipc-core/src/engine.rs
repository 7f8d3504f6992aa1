//! Which machinery does a primitive's work.

use std::fmt;
use std::str::FromStr;

/// The machinery behind a primitive; the API is the same on each.
///
/// Chosen by the options of a primitive when an object is created or opened.
///
/// ```
/// use unipc::Engine;
/// assert_eq!(Engine::default(), Engine::Posix);
/// assert_eq!("shm".parse::<Engine>()?, Engine::Shm);
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// The system's own object, which every other POSIX program can open too.
    #[default]
    Posix,
    /// unipc's own, in shared memory: no system call while both sides are busy, none of the system's
    /// limits, and the death of a participant at any instant harms nobody else.
    Shm,
}

impl Engine {
    /// Every engine there is.
    ///
    /// ```
    /// assert!(unipc::Engine::ALL.contains(&unipc::Engine::Posix));
    /// ```
    pub const ALL: &'static [Engine] = &[Engine::Posix, Engine::Shm];
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Posix => "posix",
            Engine::Shm => "shm",
        })
    }
}

impl FromStr for Engine {
    type Err = crate::Error;

    fn from_str(text: &str) -> crate::Result<Engine> {
        Engine::ALL.iter().copied().find(|engine| engine.to_string() == text).ok_or_else(|| {
            let known: Vec<String> = Engine::ALL.iter().map(ToString::to_string).collect();
            let cause = format!("'{text}' is no engine; there is: {}", known.join(", "));
            crate::Error::new("choose", "engine", libc::EINVAL, cause)
        })
    }
}
