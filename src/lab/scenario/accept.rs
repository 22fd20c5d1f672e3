//! Writing what was seen into a scenario's text as what is expected.
//!
//! A1. Lines outside the sections of a block whose output differs stay byte for byte as they are.
//! A2. A section's lines that still hold, comments included, stay as they are.
//! A3. Sections split by profile only where profiles truly differ: when one section would have to
//!     say two things, all sections of the block are written anew, one for each distinct output.

use super::ast::{Block, Scenario, Section};
use super::lines;

/// What a block put out under one profile.
#[derive(Clone, Debug)]
pub struct BlockOutput {
    /// The act's place in the scenario.
    pub act: usize,
    /// The block's place in the act.
    pub block: usize,
    /// The profile.
    pub profile: String,
    /// The lines.
    pub lines: Vec<String>,
}

/// Whether an expected line allows an actual one: equal, or the count of rows alone where the
/// actual line also lists them.
#[must_use]
pub fn line_matches(expected: &str, actual: &str) -> bool {
    expected == actual
        || (expected.ends_with(" row") || expected.ends_with(" rows"))
            && actual
                .strip_prefix(expected)
                .is_some_and(|rest| rest.starts_with(" ("))
}

/// The expected line that stands for all further lines, whatever they are.
pub const AND_SO_ON: &str = "...";

/// Whether a section expects just these lines.
#[must_use]
pub fn section_matches(section: &Section, actual: &[String]) -> bool {
    let (expected, open) = match section.lines.split_last() {
        Some((last, before)) if last.text == AND_SO_ON => (before, true),
        _ => (section.lines.as_slice(), false),
    };
    let enough = actual.len() == expected.len() || open && actual.len() > expected.len();
    enough
        && expected
            .iter()
            .zip(actual)
            .all(|(expected, actual)| line_matches(&expected.text, actual))
}

/// The scenario's text with the outputs as its expectations.
#[must_use]
pub fn accept(scenario: &Scenario, outputs: &[BlockOutput]) -> String {
    let newline = if scenario.text.contains("\r\n") {
        "\r\n"
    } else {
        "\n"
    };
    let source: Vec<&str> = scenario.text.split_inclusive('\n').collect();
    let mut edits: Vec<Edit> = Vec::new();
    for (act_index, act) in scenario.acts.iter().enumerate() {
        for (block_index, block) in act.blocks.iter().enumerate() {
            let of_block: Vec<&BlockOutput> = outputs
                .iter()
                .filter(|o| o.act == act_index && o.block == block_index)
                .collect();
            edits.extend(block_edits(scenario, block, &of_block, &source));
        }
    }
    apply(&source, edits, newline)
}

/// Lines `first..=last` (from 1) become `lines`; an insertion has `last == first - 1`.
struct Edit {
    first: usize,
    last: usize,
    lines: Vec<String>,
}

fn block_edits(
    scenario: &Scenario,
    block: &Block,
    outputs: &[&BlockOutput],
    source: &[&str],
) -> Vec<Edit> {
    if outputs.is_empty() {
        return Vec::new();
    }
    let all_hold = outputs.iter().all(|output| {
        let section = block.section(&output.profile);
        section.is_some_and(|section| section_matches(section, &output.lines))
    });
    if all_hold {
        return Vec::new();
    }
    let wanted = wanted_by_profile(scenario, block, outputs);
    if let Some(edits) = update_in_place(block, &wanted, source) {
        return edits;
    }
    vec![rewrite(block, &wanted)]
}

/// For each profile of the file: what was seen, or, when it was not played, what is expected.
fn wanted_by_profile(
    scenario: &Scenario,
    block: &Block,
    outputs: &[&BlockOutput],
) -> Vec<(String, Vec<String>)> {
    let mut names: Vec<String> = scenario.profiles.iter().map(|(n, _)| n.clone()).collect();
    for output in outputs {
        if !names.contains(&output.profile) {
            names.push(output.profile.clone());
        }
    }
    names
        .into_iter()
        .filter_map(|name| {
            let seen = outputs.iter().find(|output| output.profile == name);
            let lines = match seen {
                Some(output) => output.lines.clone(),
                None => {
                    let section = block.section(&name)?;
                    section.lines.iter().map(|line| line.text.clone()).collect()
                }
            };
            Some((name, lines))
        })
        .collect()
}

/// Changes the lines of sections, if each section can go on saying one thing for its profiles.
fn update_in_place(
    block: &Block,
    wanted: &[(String, Vec<String>)],
    source: &[&str],
) -> Option<Vec<Edit>> {
    let mut edits = Vec::new();
    for (name, _) in wanted {
        block.section(name)?;
    }
    for section in &block.sections {
        let mut of_section = wanted.iter().filter(|(name, _)| {
            let own = block.section(name);
            own.is_some_and(|own| own.first_line == section.first_line)
        });
        let Some((_, lines)) = of_section.next() else {
            continue;
        };
        if of_section.any(|(_, other)| other != lines) {
            return None;
        }
        if !section_matches(section, lines) {
            edits.push(Edit {
                first: section.first_line + 1,
                last: section.last_line,
                lines: merged(section, lines, source),
            });
        }
    }
    Some(edits)
}

/// New lines of a section: comment lines first, then each line, as it stands where it still holds.
fn merged(section: &Section, lines: &[String], source: &[&str]) -> Vec<String> {
    let old: Vec<&str> = source[section.first_line..section.last_line]
        .iter()
        .map(|line| line.trim_end_matches(['\r', '\n']))
        .collect();
    let comments = old
        .iter()
        .filter(|line| lines::kind(line) == lines::LineKind::Comment);
    let mut result: Vec<String> = comments.map(|line| (*line).to_owned()).collect();
    for line in lines {
        let same = old
            .iter()
            .find(|old| line_matches(lines::without_comment(old), line));
        result.push(same.map_or_else(|| line.clone(), |old| (*old).to_owned()));
    }
    result
}

/// All sections of a block anew: one for each distinct output, in the order of profiles.
fn rewrite(block: &Block, wanted: &[(String, Vec<String>)]) -> Edit {
    let mut groups: Vec<(Vec<&str>, &Vec<String>)> = Vec::new();
    for (name, lines) in wanted {
        match groups.iter_mut().find(|(_, other)| *other == lines) {
            Some((names, _)) => names.push(name),
            None => groups.push((vec![name], lines)),
        }
    }
    let mut text = Vec::new();
    let single = groups.len() == 1;
    for (names, lines) in groups {
        text.push(if single {
            "----".to_owned()
        } else {
            format!("---- {}", names.join(" "))
        });
        text.extend(lines.iter().cloned());
    }
    let first = block
        .sections
        .first()
        .map_or(block.last_line + 1, |section| section.first_line);
    Edit {
        first,
        last: block.last_line,
        lines: text,
    }
}

fn apply(source: &[&str], edits: Vec<Edit>, newline: &str) -> String {
    let mut result = String::new();
    let mut next = 1;
    for edit in edits {
        result.extend(source[next - 1..edit.first - 1].iter().copied());
        if !result.is_empty() && !result.ends_with('\n') {
            result.push_str(newline);
        }
        for line in &edit.lines {
            result.push_str(line);
            result.push_str(newline);
        }
        next = edit.last + 1;
    }
    result.extend(source[next - 1..].iter().copied());
    result
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::parse;
    use super::*;

    const TEXT: &str = "# s\nprofile p q\n\na> BEGIN   # note\n----\n# why\na: ok      # as it was\nb: 1 row\n\n# between\na> COMMIT";

    fn output(block: usize, profile: &str, lines: &[&str]) -> BlockOutput {
        BlockOutput {
            act: 0,
            block,
            profile: profile.to_owned(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    fn accepted(outputs: &[BlockOutput]) -> String {
        accept(&parse(Path::new("x"), TEXT).unwrap(), outputs)
    }

    #[test]
    fn what_holds_stays_byte_for_byte() {
        let outputs = [
            output(0, "p", &["a: ok", "b: 1 row (7)"]),
            output(0, "q", &["a: ok", "b: 1 row (7)"]),
        ];
        assert_eq!(accepted(&outputs), TEXT);
    }

    #[test]
    fn three_dots_stand_for_the_rest() {
        let text = "a> BEGIN\nlocks\n----\na: ok\n...\n";
        let scenario = parse(Path::new("x"), text).unwrap();
        let section = &scenario.acts[0].blocks[0].sections[0];
        let lines = |lines: &[&str]| lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>();
        assert!(section_matches(section, &lines(&["a: ok"])));
        assert!(section_matches(
            section,
            &lines(&["a: ok", "t  a", "no locks"])
        ));
        assert!(!section_matches(section, &lines(&["a: 1 row", "no locks"])));
        assert!(!section_matches(section, &lines(&[])));
    }

    #[test]
    fn a_changed_line_is_replaced_alone() {
        let outputs = [
            output(0, "p", &["a: ok", "b: 2 rows"]),
            output(0, "q", &["a: ok", "b: 2 rows"]),
        ];
        assert_eq!(accepted(&outputs), TEXT.replace("b: 1 row", "b: 2 rows"));
    }

    #[test]
    fn sections_split_where_profiles_differ() {
        let outputs = [
            output(0, "p", &["a: ok"]),
            output(1, "p", &["a: ok"]),
            output(1, "q", &["a: ok"]),
        ];
        assert_eq!(
            accepted(&outputs),
            "# s\nprofile p q\n\na> BEGIN   # note\n---- p\na: ok\n---- q\na: ok\nb: 1 row\n\n# between\na> COMMIT\n----\na: ok\n"
        );
    }
}
