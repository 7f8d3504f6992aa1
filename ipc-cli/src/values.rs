//! What an argument says that is no plain number.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::time::Duration;
use unipc::Engine;

/// "1.5", "250ms", "2m", "1h"; seconds if nothing else is said.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, factor) = match text.find(|c: char| c.is_ascii_alphabetic()) {
        None => (text, 1.0),
        Some(end) => match &text[end..] {
            "ms" => (&text[..end], 1e-3),
            "s" => (&text[..end], 1.0),
            "m" => (&text[..end], 60.0),
            "h" => (&text[..end], 3600.0),
            _ => ("", 0.0),
        },
    };
    let seconds = number.parse::<f64>().ok().and_then(|number| Duration::try_from_secs_f64(number * factor).ok());
    seconds.ok_or_else(|| "a time is seconds, as in 1.5, or has a unit, as in 250ms, 10s, 2m or 1h".into())
}

/// "4096", "64K", "2M", "1G".
pub fn size(text: &str) -> Result<usize, String> {
    let (number, shift) = match text.strip_suffix(['K', 'M', 'G']) {
        None => (text, 0),
        Some(number) => (number, 10 * (1 + "KMG".find(&text[number.len()..]).unwrap_or(0))),
    };
    let bytes = number.parse::<usize>().ok().and_then(|number| number.checked_mul(1 << shift));
    bytes.ok_or_else(|| "a size is a number of bytes, or of K, M or G of 1024 each, as in 64K".into())
}

/// "660", "0660", "0o660".
pub fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text.strip_prefix("0o").unwrap_or(text), 8) {
        Ok(mode @ ..=0o777) => Ok(mode),
        _ => Err("a mode is three octal digits, as in 660".into()),
    }
}

pub fn engine() -> impl TypedValueParser<Value = Engine> {
    PossibleValuesParser::new(["posix", "shm"]).map(|name| if name == "shm" { Engine::Shm } else { Engine::Posix })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_or_is_in_seconds() {
        for (text, milliseconds) in
            [("0", 0), ("1.5", 1500), ("250ms", 250), ("3s", 3000), ("2m", 120_000), ("1h", 3_600_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "-1", "s", "1d", "1 s", "inf", "nan", "1e99"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_is_in_bytes_or_in_powers_of_1024() {
        for (text, bytes) in [("0", 0), ("4096", 4096), ("64K", 65536), ("2M", 2 << 20), ("1G", 1 << 30)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "K", "-1", "1k", "1KB", "1.5K", "99999999999999G"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_mode_is_octal() {
        for text in ["660", "0660", "0o660"] {
            assert_eq!(mode(text), Ok(0o660), "{text}");
        }
        for text in ["", "888", "1000", "-1", "rw"] {
            assert!(mode(text).is_err(), "{text}");
        }
    }
}
