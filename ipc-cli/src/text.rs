//! Numbers, times and names as people read them.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// "12K": at most four characters up to some thousand exabytes.
#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
pub fn bytes(count: u64) -> String {
    let (mut value, mut units) = (count as f64, " KMGTPE".chars());
    let mut unit = units.next().unwrap_or(' ');
    while value >= 1023.5 {
        value /= 1024.0;
        unit = units.next().unwrap_or('E');
    }
    match unit {
        ' ' => count.to_string(),
        _ if value < 9.95 => format!("{value:.1}{unit}"),
        _ => format!("{value:.0}{unit}"),
    }
}

/// "5m": the largest unit that fits.
pub fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long ago; nothing if the clock was set back since.
pub fn since(then: SystemTime) -> Duration {
    then.elapsed().unwrap_or_default()
}

pub fn unix(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// "2026-11-21 16:05:59 UTC"
pub fn date(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March have their leap day at the end: days since 0000-03-01.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Permission bits as ls shows them.
pub fn mode(mode: u32) -> String {
    (0..9).rev().map(|bit| if mode >> bit & 1 == 1 { ['x', 'w', 'r'][bit % 3] } else { '-' }).collect()
}

/// Whether a terminal does more than to show it: moves the cursor, ends the line, turns the direction of writing.
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What others have chosen, names and command lines, on one line and harmless to a terminal; no tab is left in it.
pub fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Indented, and harmless to a terminal: JSON itself demands only that what is below the blank is escaped.
pub fn json(value: &serde_json::Value) -> String {
    let text = format!("{value:#}");
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && is_harmful(c) {
            let _ = write!(shown, "\\u{:04x}", u32::from(c)); // it stands inside of a string, and no such is longer
        } else {
            shown.push(c);
        }
    }
    shown
}

pub fn width(text: &str) -> usize {
    text.width()
}

/// At most `width` columns of it; what is cut off is said.
pub fn clipped(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 1; // the ellipsis
    let kept = text.chars().take_while(|c| {
        used += c.width().unwrap_or(0);
        used <= width
    });
    kept.chain(['…']).collect()
}

/// "8:300", as the kernel writes it elsewhere; the bits of the two numbers lie between each other's.
pub fn device(device: u64) -> String {
    let (major, minor) = (device >> 8 & 0xfff | device >> 32 & 0xffff_f000, device & 0xff | device >> 12 & 0xffff_ff00);
    format!("{major}:{minor}")
}

/// "1 message", "3 messages", "2 memories".
pub fn count(number: u64, of: &str) -> String {
    match of.strip_suffix('y') {
        _ if number == 1 => format!("{number} {of}"),
        Some(stem) => format!("{number} {stem}ies"),
        None => format!("{number} {of}s"),
    }
}

/// The names of users, or of groups, that the machine's own file has.
pub struct Names(HashMap<u32, String>);

impl Names {
    pub fn users() -> Names {
        Names::read("/etc/passwd")
    }

    pub fn groups() -> Names {
        Names::read("/etc/group")
    }

    fn read(file: &str) -> Names {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let entry = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            Some((fields.nth(1)?.parse().ok()?, name))
        };
        Names(text.lines().rev().filter_map(entry).collect())
    }

    /// The name, or the number where there is none.
    pub fn of(&self, number: u32) -> String {
        self.0.get(&number).map_or_else(|| number.to_string(), |name| shown(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_short_and_of_the_right_unit() {
        let cases = [(0, "0"), (1023, "1023"), (1024, "1.0K"), (10_239, "10K"), (12_288, "12K"), (1_048_575, "1.0M")];
        for (count, text) in cases.into_iter().chain([(u64::MAX, "16E")]) {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let cases = [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_251_200, "2024-03-01 00:00:00 UTC"),
            (4_107_542_399, "2100-02-28 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ];
        for (seconds, text) in cases {
            assert_eq!(date(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn nothing_that_moves_a_cursor_is_shown() {
        assert_eq!(shown("a\x1b[2Jb\tc\nü\u{9b}"), "a\\u{1b}[2Jb\\tc\\nü\\u{9b}");
        assert_eq!(shown("\u{202e}gpj\u{2066}"), "\\u{202e}gpj\\u{2066}");
    }

    #[test]
    fn json_says_the_same_without_what_moves_a_cursor() {
        let value = serde_json::json!({ "a\n\u{9b}": ["\u{1b}\u{7f}\u{2067}ü", 1] });
        let text = json(&value);
        assert!(!text.contains(|c| c != '\n' && is_harmful(c)), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_device_is_written_as_the_kernel_writes_it() {
        let devices = [(0x1b, "0:27"), (0x40_00d2, "0:1234"), (0x10_082c, "8:300"), (0x1000_5002_3400, "4660:327680")];
        for (number, text) in devices {
            assert_eq!(device(number), text);
        }
    }

    #[test]
    fn more_than_one_is_said_as_such() {
        assert_eq!([count(1, "queue"), count(0, "queue")], ["1 queue", "0 queues"]);
        assert_eq!([count(1, "memory"), count(2, "memory")], ["1 memory", "2 memories"]);
    }

    #[test]
    fn what_is_clipped_is_as_wide_as_it_may_be() {
        assert_eq!(clipped("orders", 6), "orders");
        assert_eq!(clipped("orders", 4), "ord…");
        assert_eq!(clipped("日本語", 4), "日…");
    }
}
