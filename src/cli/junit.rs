//! Results as a JUnit report, which most CI systems show.

use std::fmt::Write;
use std::path::Path;

use super::diagnostics::Failure;

/// One check: its name, and what is wrong with it, if something is.
pub(super) struct Check {
    pub(super) class: String,
    pub(super) name: String,
    pub(super) failure: Option<String>,
}

/// Writes the report.
pub(super) fn write(path: &Path, suite: &str, checks: &[Check]) -> Result<(), Failure> {
    let text = report(suite, checks);
    std::fs::write(path, text)
        .map_err(|error| Failure::plain(format!("{}: {error}", path.display()), None))
}

fn report(suite: &str, checks: &[Check]) -> String {
    let failures = checks.iter().filter(|check| check.failure.is_some());
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\">\n",
        escaped(suite),
        checks.len(),
        failures.count()
    );
    for check in checks {
        let (class, name) = (escaped(&check.class), escaped(&check.name));
        let _ = write!(text, "  <testcase classname=\"{class}\" name=\"{name}\"");
        match &check.failure {
            None => text.push_str("/>\n"),
            Some(what) => {
                let first = what.lines().next().unwrap_or_default();
                let _ = writeln!(
                    text,
                    ">\n    <failure message=\"{}\">{}</failure>\n  </testcase>",
                    escaped(first),
                    escaped(what)
                );
            }
        }
    }
    text.push_str("</testsuite>\n");
    text
}

/// Characters that XML keeps for itself, or cannot have at all, replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(character),
            control if control.is_control() => out.push('?'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_said_is_xml() {
        let checks = [
            Check {
                class: "a<b".into(),
                name: "\"x\" & \u{1}".into(),
                failure: Some("first\nsecond >".into()),
            },
            Check {
                class: "c".into(),
                name: "d".into(),
                failure: None,
            },
        ];
        let text = report("s", &checks);
        assert!(text.contains("tests=\"2\" failures=\"1\""), "{text}");
        assert!(
            text.contains("classname=\"a&lt;b\" name=\"&quot;x&quot; &amp; ?\""),
            "{text}"
        );
        assert!(
            text.contains("<failure message=\"first\">first\nsecond &gt;</failure>"),
            "{text}"
        );
    }
}
