//! Errors as the user sees them: file, line, column, a caret, and advice.

use gaplock::lab::conform::ReadError;
use gaplock::lab::scenario::ScenarioError;
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource,
    Report,
};

use super::args::Color;

/// A usage or input error: ends a command with status 2.
#[derive(Debug)]
pub(super) struct Failure(Report);

impl Failure {
    /// An error that is at no place of a file.
    pub(super) fn plain(message: impl Into<String>, advice: Option<String>) -> Failure {
        let mut diagnostic = MietteDiagnostic::new(message);
        diagnostic.help = advice;
        Failure(Report::new(diagnostic))
    }

    fn placed(message: String, advice: Option<String>, source: Source<'_>) -> Failure {
        let offset = offset_of(source.text, source.line, source.column);
        let mut diagnostic =
            MietteDiagnostic::new(message).with_label(LabeledSpan::new(None, offset, 1));
        diagnostic.help = advice;
        let named = NamedSource::new(source.path.display().to_string(), source.text.to_owned());
        Failure(Report::new(diagnostic).with_source_code(named))
    }

    /// The error's text.
    pub(super) fn render(&self, color: Color) -> String {
        let theme = if color.wanted(&std::io::stderr()) {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::none()
        };
        let mut text = String::new();
        let diagnostic: &dyn Diagnostic = self.0.as_ref();
        let handler = GraphicalReportHandler::new_themed(theme).with_width(100);
        match handler.render_report(&mut text, diagnostic) {
            Ok(()) => text,
            Err(_) => format!("{}\n", self.0),
        }
    }
}

/// A file's text and a place in it, both numbers from 1.
struct Source<'a> {
    path: &'a std::path::Path,
    text: &'a str,
    line: usize,
    column: usize,
}

fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let in_line = text[before.min(text.len())..]
        .char_indices()
        .nth(column.saturating_sub(1))
        .map_or(0, |(offset, _)| offset);
    (before + in_line).min(text.len().saturating_sub(1))
}

impl Failure {
    /// An error of a scenario whose text is at hand.
    pub(super) fn scenario(error: &ScenarioError, text: &str) -> Failure {
        let source = Source {
            path: &error.path,
            text,
            line: error.place.line,
            column: error.place.column,
        };
        Failure::placed(error.problem.to_string(), error.advice(), source)
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Failure {
        let advice = "a recording is one JSON object on a line, as the conformance data has them";
        match &error {
            ReadError::Malformed {
                path,
                line,
                column,
                what,
                text,
            } => {
                // The file may be huge or compressed: the line alone is shown, in its place.
                let padded = format!("{}{text}", "\n".repeat(line - 1));
                let source = Source {
                    path,
                    text: &padded,
                    line: *line,
                    column: *column,
                };
                Failure::placed(what.clone(), Some(advice.to_owned()), source)
            }
            ReadError::Io { .. } | ReadError::Gzip { .. } => {
                Failure::plain(error.to_string(), None)
            }
        }
    }
}
