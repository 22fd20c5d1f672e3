//! The conversation as a timeline: sessions across, time down.

/// One entry of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A session says a statement.
    Says(String, String),
    /// A statement of a session came to something.
    Comes(String, String),
    /// Something of nobody in particular, over the whole width.
    Note(String),
}

/// Narrowest column that still reads.
const COLUMN_MIN: usize = 28;

/// The timeline's lines, fitted into a width in characters.
#[must_use]
pub fn timeline(sessions: &[String], entries: &[Entry], width: usize) -> Vec<String> {
    let count = sessions.len().max(1);
    let column = (width / count).max(COLUMN_MIN);
    let mut lines = Vec::new();
    let header: Vec<String> = sessions
        .iter()
        .map(|name| format!("{name:column$}"))
        .collect();
    lines.push(header.concat().trim_end().to_owned());
    lines.push("-".repeat(column * count));
    for entry in entries {
        let (session, first, rest, text) = match entry {
            Entry::Says(session, sql) => (session, "", "  ", sql),
            Entry::Comes(session, words) => (session, "  = ", "    ", words),
            Entry::Note(text) => {
                lines.extend(text.lines().map(|line| format!("| {line}")));
                continue;
            }
        };
        let at = sessions.iter().position(|name| name == session);
        let indent = " ".repeat(at.unwrap_or(0) * column);
        for line in wrap(text, column - 2, first, rest) {
            lines.push(format!("{indent}{line}"));
        }
    }
    lines
}

/// Breaks a text at blanks so that no line is longer than `width`, as far as its words allow.
fn wrap(text: &str, width: usize, first: &str, rest: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::replace(&mut line, rest.to_owned()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_stand_side_by_side() {
        let entries = [
            Entry::Says("a".into(), "BEGIN".into()),
            Entry::Comes("a".into(), "ok".into()),
            Entry::Says("b".into(), "UPDATE t SET v = v + 1 WHERE id = 5".into()),
            Entry::Comes("b".into(), "1 row".into()),
            Entry::Note("advance 1s".into()),
        ];
        let lines = timeline(&["a".to_owned(), "b".to_owned()], &entries, 60);
        let expected = "\
a                             b
------------------------------------------------------------
BEGIN
  = ok
                              UPDATE t SET v = v + 1 WHERE
                                id = 5
                                = 1 row
| advance 1s";
        assert_eq!(lines.join("\n"), expected);
    }
}
