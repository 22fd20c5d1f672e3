//! From text to tree.

use std::path::Path;

use super::ast::{
    Act, Block, ExpectedLine, Input, Place, PurgeSetting, Scenario, Section, SetupItem, Statement,
};
use super::error::{Problem, ScenarioError};
use super::lines::{self, LineKind};
use super::words;

type Parsed<T> = Result<T, ScenarioError>;

/// Reads a scenario; `path` is only for messages.
///
/// # Errors
/// The first line that can't be read, with its place.
pub fn parse(path: &Path, text: &str) -> Parsed<Scenario> {
    let mut parser = Parser {
        lines: text.lines().collect(),
        at: 0,
        scenario: Scenario {
            path: path.to_owned(),
            text: text.to_owned(),
            profiles: Vec::new(),
            isolation: None,
            purge: PurgeSetting::Drain,
            acts: Vec::new(),
        },
        act: Act::default(),
    };
    parser.file()?;
    Ok(parser.scenario)
}

struct Parser<'a> {
    lines: Vec<&'a str>,
    /// Index of the line to be read next.
    at: usize,
    scenario: Scenario,
    /// The act being read; moved into the scenario when the next one begins.
    act: Act,
}

impl<'a> Parser<'a> {
    fn file(&mut self) -> Parsed<()> {
        while let Some(line) = self.lines.get(self.at).copied() {
            match lines::kind(line) {
                LineKind::Blank | LineKind::Comment => self.at += 1,
                LineKind::Indented => {
                    let column = line.len() - line.trim_start().len() + 1;
                    return Err(self.error(self.at, column, Problem::StrayContinuation));
                }
                LineKind::Flush => self.flush_line(line)?,
            }
        }
        self.finish_act();
        Ok(())
    }

    fn flush_line(&mut self, line: &'a str) -> Parsed<()> {
        let code = lines::without_comment(line);
        let (word, rest) = code.split_once([' ', '\t']).unwrap_or((code, ""));
        let rest = rest.trim();
        match word {
            "profile" => self.profile_line(line, rest),
            "isolation" => {
                self.only_at_head("isolation")?;
                let level = words::isolation(rest).map_err(|p| self.error(self.at, 11, p))?;
                self.scenario.isolation = Some(level);
                self.at += 1;
                Ok(())
            }
            "purge" if self.at_head() && !rest.is_empty() => self.purge_header(rest),
            "variant" => self.variant(rest),
            "setup" if rest.is_empty() => self.setup(),
            "load" if rest.is_empty() => self.load(),
            _ => self.block(),
        }
    }

    /// Whether nothing but headers has been read.
    fn at_head(&self) -> bool {
        let act = &self.act;
        let untouched = act.setup.is_empty() && act.blocks.is_empty() && act.load.is_empty();
        self.scenario.acts.is_empty() && untouched && act.name.is_none()
    }

    fn only_at_head(&self, word: &'static str) -> Parsed<()> {
        if self.at_head() {
            Ok(())
        } else {
            Err(self.error(self.at, 1, Problem::LateHeader(word)))
        }
    }

    fn profile_line(&mut self, line: &str, rest: &str) -> Parsed<()> {
        self.only_at_head("profile")?;
        if rest.is_empty() {
            return Err(self.error(self.at, 1, Problem::NoProfile));
        }
        for name in rest.split_whitespace() {
            // The words are slices of the line: the distance of their addresses is not needed,
            // since a name can't occur inside an earlier one's blanks.
            let column = lines::column(line, find_word(line, name));
            let place = Place {
                line: self.at + 1,
                column,
            };
            self.scenario.profiles.push((name.to_owned(), place));
        }
        self.at += 1;
        Ok(())
    }

    fn purge_header(&mut self, rest: &str) -> Parsed<()> {
        self.scenario.purge = match rest {
            "hold" => PurgeSetting::Hold,
            "drain" => PurgeSetting::Drain,
            _ => {
                let problem = Problem::BadCommand {
                    command: "purge",
                    usage: "write `purge hold` or `purge drain`",
                };
                return Err(self.error(self.at, 7, problem));
            }
        };
        self.at += 1;
        Ok(())
    }

    fn variant(&mut self, name: &str) -> Parsed<()> {
        if name.is_empty() {
            let problem = Problem::BadCommand {
                command: "variant",
                usage: "give the variant a name: `variant natural-key`",
            };
            return Err(self.error(self.at, 1, problem));
        }
        self.finish_act();
        self.act = Act {
            name: Some(name.to_owned()),
            place: Place {
                line: self.at + 1,
                column: 1,
            },
            ..Act::default()
        };
        self.at += 1;
        Ok(())
    }

    /// Moves the act into the scenario, unless it is the empty one before the first variant.
    fn finish_act(&mut self) {
        let act = std::mem::take(&mut self.act);
        let empty = act.setup.is_empty() && act.blocks.is_empty() && act.load.is_empty();
        if act.name.is_some()
            || !empty
            || (self.at >= self.lines.len() && self.scenario.acts.is_empty())
        {
            self.scenario.acts.push(act);
        }
    }

    fn setup(&mut self) -> Parsed<()> {
        if !self.act.blocks.is_empty() {
            return Err(self.error(self.at, 1, Problem::LateHeader("setup")));
        }
        let body = self.indented_body();
        let mut sql = SqlScanner::default();
        for (index, line) in body {
            let said = lines::said(lines::without_comment(line));
            if said.is_empty() {
                sql.line(index, lines::without_comment(line));
                continue;
            }
            self.act
                .setup
                .extend(self.drained(&mut sql)?.into_iter().map(SetupItem::Sql));
            for said in said {
                let (name, statement) = self.said_statement(index, line, said)?;
                self.act.setup.push(SetupItem::Say(name, statement));
            }
        }
        self.act
            .setup
            .extend(self.drained(&mut sql)?.into_iter().map(SetupItem::Sql));
        Ok(())
    }

    fn load(&mut self) -> Parsed<()> {
        let mut sql = SqlScanner::default();
        for (index, line) in self.indented_body() {
            sql.line(index, lines::without_comment(line));
        }
        self.act.load = self.drained(&mut sql)?;
        Ok(())
    }

    /// The indented lines under the current one, which is passed over too.
    fn indented_body(&mut self) -> Vec<(usize, &'a str)> {
        let mut body = Vec::new();
        self.at += 1;
        while let Some(line) = self.lines.get(self.at).copied() {
            match lines::kind(line) {
                LineKind::Indented => body.push((self.at, line)),
                LineKind::Comment => {}
                LineKind::Blank | LineKind::Flush => break,
            }
            self.at += 1;
        }
        body
    }

    /// The statements that have been scanned; the last one must have ended.
    fn drained(&self, sql: &mut SqlScanner) -> Parsed<Vec<Statement>> {
        let statements = std::mem::take(sql);
        match statements.unfinished() {
            Some(place) => {
                Err(self.error(place.line - 1, place.column, Problem::UnfinishedStatement))
            }
            None => Ok(statements.done),
        }
    }

    fn said_statement(
        &self,
        index: usize,
        line: &str,
        (name, offset, sql): lines::Said<'_>,
    ) -> Parsed<(String, Statement)> {
        let column = lines::column(line, offset);
        if sql.is_empty() {
            return Err(self.error(index, column, Problem::EmptyStatement));
        }
        let place = Place {
            line: index + 1,
            column,
        };
        let sql = sql.trim_end_matches(';').to_owned();
        Ok((name.to_owned(), Statement { sql, place }))
    }

    fn block(&mut self) -> Parsed<()> {
        let mut block = Block::default();
        while let Some(line) = self.lines.get(self.at).copied() {
            let kind = lines::kind(line);
            if kind == LineKind::Blank {
                break;
            }
            block.last_line = self.at + 1;
            if kind != LineKind::Comment {
                self.block_line(&mut block, line, kind)?;
            } else if let Some(section) = block.sections.last_mut() {
                section.last_line = self.at + 1;
            }
            self.at += 1;
        }
        self.check_sections(&block)?;
        self.act.blocks.push(block);
        Ok(())
    }

    fn block_line(&self, block: &mut Block, line: &str, kind: LineKind) -> Parsed<()> {
        let code = lines::without_comment(line);
        if let Some(profiles) = code.strip_prefix("----") {
            return self.open_section(block, profiles);
        }
        if let Some(section) = block.sections.last_mut() {
            section.last_line = self.at + 1;
            section.lines.push(ExpectedLine {
                text: code.to_owned(),
                place: Place {
                    line: self.at + 1,
                    column: 1,
                },
            });
            return Ok(());
        }
        if kind == LineKind::Indented {
            return self.continuation(block, code);
        }
        let said = lines::said(code);
        if said.is_empty() {
            return self.command(block, line, code);
        }
        for said in said {
            let (name, statement) = self.said_statement(self.at, line, said)?;
            block.inputs.push(Input::Say(name, statement));
        }
        Ok(())
    }

    fn continuation(&self, block: &mut Block, code: &str) -> Parsed<()> {
        let Some(Input::Say(_, statement)) = block.inputs.last_mut() else {
            let column = code.len() - code.trim_start().len() + 1;
            return Err(self.error(self.at, column, Problem::StrayContinuation));
        };
        statement.sql.push('\n');
        statement.sql.push_str(code.trim_end_matches(';'));
        Ok(())
    }

    fn command(&self, block: &mut Block, line: &str, code: &str) -> Parsed<()> {
        let place = Place {
            line: self.at + 1,
            column: 1,
        };
        let plan_of = match code.strip_prefix("plan ") {
            Some(rest) => {
                let blanks = rest.len() - rest.trim_start().len();
                let shift = "plan ".len() + blanks;
                let said = lines::said(rest.trim_start());
                let first = said.into_iter().next();
                first
                    .map(|(name, offset, sql)| {
                        self.said_statement(self.at, line, (name, offset + shift, sql))
                    })
                    .transpose()?
            }
            None => None,
        };
        match words::command(code, plan_of) {
            Some(Ok(command)) => {
                block.inputs.push(Input::Command(command, place));
                Ok(())
            }
            Some(Err(problem)) => Err(self.error(self.at, 1, problem)),
            None => {
                let word = code.split_whitespace().next().unwrap_or_default();
                Err(self.error(self.at, 1, Problem::UnknownLine(word.to_owned())))
            }
        }
    }

    fn open_section(&self, block: &mut Block, profiles: &str) -> Parsed<()> {
        if block.inputs.is_empty() {
            return Err(self.error(self.at, 1, Problem::StrayExpectation));
        }
        let profiles: Vec<String> = profiles.split_whitespace().map(str::to_owned).collect();
        let known = &self.scenario.profiles;
        let stranger = profiles
            .iter()
            .find(|name| !known.is_empty() && !known.iter().any(|(known, _)| known == *name));
        if let Some(name) = stranger {
            let column = find_word(self.lines[self.at], name) + 1;
            let problem = Problem::SectionForUnknownProfile(name.clone());
            return Err(self.error(self.at, column, problem));
        }
        let double = block.sections.iter().find_map(|other| {
            let shared = profiles.iter().find(|name| other.profiles.contains(name));
            match shared {
                Some(name) => Some(name.clone()),
                None if profiles.is_empty() && other.profiles.is_empty() => {
                    Some("all other profiles".to_owned())
                }
                None => None,
            }
        });
        if let Some(name) = double {
            return Err(self.error(self.at, 1, Problem::DoubleSection(name)));
        }
        block.sections.push(Section {
            profiles,
            lines: Vec::new(),
            first_line: self.at + 1,
            last_line: self.at + 1,
        });
        Ok(())
    }

    /// The output of commands is free text; that of statements is checked.
    fn check_sections(&self, block: &Block) -> Parsed<()> {
        let only_statements = block
            .inputs
            .iter()
            .all(|input| matches!(input, Input::Say(..)));
        if !only_statements {
            return Ok(());
        }
        for line in block.sections.iter().flat_map(|section| &section.lines) {
            words::expectation(&line.text)
                .map_err(|problem| self.error(line.place.line - 1, 1, problem))?;
        }
        Ok(())
    }

    fn error(&self, index: usize, column: usize, problem: Problem) -> ScenarioError {
        ScenarioError {
            path: self.scenario.path.clone(),
            place: Place {
                line: index + 1,
                column,
            },
            problem,
            line_text: self
                .lines
                .get(index)
                .copied()
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

/// Byte offset of a word that stands between blanks.
fn find_word(line: &str, word: &str) -> usize {
    line.match_indices(word)
        .find(|(offset, _)| {
            let before = line[..*offset].chars().next_back();
            let after = line[offset + word.len()..].chars().next();
            before.is_none_or(char::is_whitespace) && after.is_none_or(char::is_whitespace)
        })
        .map_or(0, |(offset, _)| offset)
}

/// Cuts text at the `;` that stand outside quotes.
#[derive(Default)]
struct SqlScanner {
    done: Vec<Statement>,
    sql: String,
    place: Option<Place>,
    quote: Option<char>,
}

impl SqlScanner {
    fn line(&mut self, index: usize, code: &str) {
        if self.place.is_some() {
            self.sql.push('\n');
        }
        for (column, ch) in code.chars().enumerate() {
            if self.place.is_none() {
                if ch.is_whitespace() || ch == ';' {
                    continue;
                }
                self.place = Some(Place {
                    line: index + 1,
                    column: column + 1,
                });
            }
            match self.quote {
                Some(open) if ch == open => self.quote = None,
                Some(_) => {}
                None if matches!(ch, '\'' | '"' | '`') => self.quote = Some(ch),
                None if ch == ';' => {
                    self.finish();
                    continue;
                }
                None => {}
            }
            self.sql.push(ch);
        }
    }

    fn finish(&mut self) {
        let sql = std::mem::take(&mut self.sql).trim_end().to_owned();
        if let Some(place) = self.place.take() {
            self.done.push(Statement { sql, place });
        }
    }

    fn unfinished(&self) -> Option<Place> {
        self.place
    }
}

#[cfg(test)]
mod tests;
