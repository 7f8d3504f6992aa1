//! `unipc doctor`: what this machine allows, and how it is changed.

use crate::failure::Failure;
use crate::text;
use anstyle::{AnsiColor, Style};
use serde_json::json;
use std::io::Write;
use std::process::ExitCode;
use unipc::survey::{self, Feature, Limit};

/// Say what this machine allows and has, and what to change for what.
#[derive(clap::Args)]
#[command(after_help = "Exit status: 0, whatever was found; 125 if standard output cannot be written, \
                        141 if its reader has left.")]
pub struct Arguments {
    /// One JSON object, with "limits" and "features"
    #[arg(long)]
    json: bool,
}

/// Of a limit, in percent: what is used to more than this is spoken of first.
const NEARLY: u64 = 80;

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (limits, features) = (survey::limits(), survey::features());
    let mut out = anstream::stdout().lock();
    if arguments.json {
        let limits = limits.iter().map(|limit| {
            json!({
                "name": limit.name, "value": limit.value, "known": limit.known, "used": limit.used,
                "at_least": limit.at_least,
                "unit": limit.unit, "about": limit.about, "change": limit.change,
            })
        });
        let features = features.iter().map(|feature| {
            json!({
                "name": feature.name, "present": feature.present, "about": feature.about, "change": feature.change,
            })
        });
        let told = json!({ "limits": limits.collect::<Vec<_>>(), "features": features.collect::<Vec<_>>() });
        writeln!(out, "{}", text::json(&told))?;
        return Ok(ExitCode::SUCCESS);
    }
    let bold = Style::new().bold();
    let (scarce, missing) =
        (limits.iter().filter(|limit| is_scarce(limit)), features.iter().filter(|one| !one.present));
    let mut remarks: Vec<String> = scarce.map(|limit| format!("{}: {}", limit.name, used(limit))).collect();
    remarks.extend(missing.map(|feature| format!("{}: not here. {}", feature.name, remedy(feature))));
    if remarks.is_empty() {
        writeln!(out, "All that unipc can use is here, and nothing is nearly used up.")?;
    } else {
        writeln!(out, "{bold}Worth a look{bold:#}")?;
        for remark in remarks {
            paragraph(&mut out, AnsiColor::Yellow.on_default(), "!", &remark)?;
        }
    }
    writeln!(out, "\n{bold}What this machine allows{bold:#}")?;
    for limit in &limits {
        let (mark, style) = if is_scarce(limit) { ("!", AnsiColor::Yellow) } else { ("-", AnsiColor::Green) };
        let sentence = format!("{}: {}. {}. To change it, {}.", limit.name, used(limit), limit.about, limit.change);
        paragraph(&mut out, style.on_default(), mark, &sentence)?;
    }
    writeln!(out, "\n{bold}What it has{bold:#}")?;
    for feature in &features {
        let (mark, style, is) =
            if feature.present { ("-", AnsiColor::Green, "yes") } else { ("!", AnsiColor::Yellow, "no") };
        let sentence = format!("{}: {is}. {}.", feature.name, feature.about);
        paragraph(&mut out, style.on_default(), mark, &sentence)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn is_scarce(limit: &Limit) -> bool {
    match (limit.value, limit.used) {
        (Some(value), Some(used)) => u128::from(used) * 100 >= u128::from(value) * u128::from(NEARLY),
        _ => false,
    }
}

/// "819200 bytes, of which 0 are used"
fn used(limit: &Limit) -> String {
    let value = match limit.value {
        Some(value) => format!("{value} {}", limit.unit),
        None if limit.known => "no limit".to_owned(),
        None => "it cannot be told".to_owned(),
    };
    match limit.used {
        Some(used) if limit.known => {
            let least = if limit.at_least { "at least " } else { "" };
            format!("{value}, {least}{used} in use")
        }
        _ => value,
    }
}

fn remedy(feature: &Feature) -> String {
    if feature.change.is_empty() {
        format!("{}.", feature.about)
    } else {
        format!("{}. To change that, {}.", feature.about, feature.change)
    }
}

/// A sentence, wrapped at words to the terminal's width.
fn paragraph(out: &mut impl Write, style: Style, mark: &str, sentence: &str) -> Result<(), Failure> {
    let width = crate::table::terminal().unwrap_or(100).clamp(40, 100) - 2;
    let mut line = String::new();
    let mut lead = format!("{style}{mark}{style:#}");
    for word in sentence.split(' ') {
        if !line.is_empty() && text::width(&line) + 1 + text::width(word) > width {
            writeln!(out, "{lead}{line}")?;
            (lead, line) = (" ".into(), String::new());
        }
        line.push(' ');
        line.push_str(word);
    }
    writeln!(out, "{lead}{line}")?;
    Ok(())
}
