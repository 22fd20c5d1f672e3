//! The standard output: coloured if wanted, and quiet once its reader has gone.

use std::io::{self, BufWriter, Stdout, Write};

use serde::Serialize;

use super::args::Color;

/// What a piece of text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// A heading.
    Heading,
    /// As expected.
    Good,
    /// Not as expected.
    Bad,
    /// Beside the point.
    Faint,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Tone::Heading => "1",
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Faint => "2",
        }
    }
}

/// The standard output.
pub(super) struct Output {
    stream: BufWriter<Stdout>,
    colored: bool,
    /// A write failed: nobody reads on. The command still ends with its own status.
    closed: bool,
}

impl Output {
    pub(super) fn new(color: Color) -> Output {
        let stream = io::stdout();
        Output {
            colored: color.wanted(&stream),
            stream: BufWriter::new(stream),
            closed: false,
        }
    }

    pub(super) fn line(&mut self, text: &str) {
        if !self.closed && writeln!(self.stream, "{text}").is_err() {
            self.closed = true;
        }
    }

    pub(super) fn lines<T: AsRef<str>>(&mut self, lines: impl IntoIterator<Item = T>) {
        for line in lines {
            self.line(line.as_ref());
        }
    }

    pub(super) fn toned(&mut self, tone: Tone, text: &str) {
        if self.colored {
            self.line(&format!("\x1b[{}m{text}\x1b[0m", tone.code()));
        } else {
            self.line(text);
        }
    }

    /// One JSON object on a line.
    pub(super) fn json(&mut self, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(text) => self.line(&text),
            Err(error) => unreachable!("our own data always has a JSON form: {error}"),
        }
    }

    pub(super) fn flush(&mut self) {
        if self.stream.flush().is_err() {
            self.closed = true;
        }
    }
}
