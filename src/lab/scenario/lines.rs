//! The lexical part: comments, indentation, and the statements on a line.

/// What a line is once its comment is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    /// Nothing on it at all: ends a block.
    Blank,
    /// Only a comment: belongs to whatever is around it.
    Comment,
    /// Something, not indented.
    Flush,
    /// Something, indented.
    Indented,
}

/// The line without its comment and without blanks at its end.
///
/// A comment begins at a `#` that stands at the start or after a blank, outside quotes.
pub(super) fn without_comment(line: &str) -> &str {
    let mut quote: Option<char> = None;
    let mut blank_before = true;
    for (offset, ch) in line.char_indices() {
        match quote {
            Some(open) if ch == open => quote = None,
            Some(_) => {}
            None if ch == '#' && blank_before => return line[..offset].trim_end(),
            None if matches!(ch, '\'' | '"' | '`') => quote = Some(ch),
            None => {}
        }
        blank_before = ch.is_whitespace();
    }
    line.trim_end()
}

pub(super) fn kind(line: &str) -> LineKind {
    let code = without_comment(line);
    if line.trim().is_empty() {
        LineKind::Blank
    } else if code.is_empty() {
        LineKind::Comment
    } else if code.starts_with([' ', '\t']) {
        LineKind::Indented
    } else {
        LineKind::Flush
    }
}

/// The session's name and the length of `name>` if the text begins with one.
pub(super) fn speaker(text: &str) -> Option<(&str, usize)> {
    let end = text.find('>')?;
    let name = &text[..end];
    let mut chars = name.chars();
    let starts = chars.next().is_some_and(|c| c.is_ascii_alphabetic());
    let goes_on = chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    (starts && goes_on && text[end + 1..].starts_with([' ', '\t'])).then_some((name, end + 1))
}

/// One `name> statement` of a line: name, byte offset of the statement, statement.
pub(super) type Said<'a> = (&'a str, usize, &'a str);

/// Splits `a> BEGIN    b> BEGIN`: a further speaker stands after two blanks or more.
pub(super) fn said(line: &str) -> Vec<Said<'_>> {
    let mut starts = Vec::new();
    let indent = line.len() - line.trim_start().len();
    if speaker(&line[indent..]).is_none() {
        return Vec::new();
    }
    starts.push(indent);
    let bytes = line.as_bytes();
    for offset in indent + 1..line.len() {
        let two_blanks = offset >= 2
            && bytes[offset - 1].is_ascii_whitespace()
            && bytes[offset - 2].is_ascii_whitespace();
        if two_blanks && line.is_char_boundary(offset) && speaker(&line[offset..]).is_some() {
            starts.push(offset);
        }
    }
    let ends = starts.iter().skip(1).copied().chain([line.len()]);
    starts
        .iter()
        .zip(ends)
        .filter_map(|(start, end)| {
            let (name, length) = speaker(&line[*start..])?;
            let rest = &line[start + length..end];
            let offset = start + length + (rest.len() - rest.trim_start().len());
            Some((name, offset, rest.trim()))
        })
        .collect()
}

/// Column, from 1 and in characters, of a byte offset.
pub(super) fn column(line: &str, offset: usize) -> usize {
    line[..offset.min(line.len())].chars().count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_end_outside_quotes_only() {
        assert_eq!(without_comment("a> SELECT '#1' # note"), "a> SELECT '#1'");
        assert_eq!(without_comment("x#y"), "x#y");
        assert_eq!(kind("   # note"), LineKind::Comment);
        assert_eq!(kind("  x"), LineKind::Indented);
    }

    #[test]
    fn several_sessions_may_speak_on_one_line() {
        assert_eq!(
            said("  a> BEGIN    b2> BEGIN"),
            vec![("a", 5, "BEGIN"), ("b2", 18, "BEGIN")]
        );
        assert_eq!(
            said("a> SELECT 1 WHERE a> 5"),
            vec![("a", 3, "SELECT 1 WHERE a> 5")]
        );
        assert!(said("INSERT INTO t").is_empty());
    }
}
