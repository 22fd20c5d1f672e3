//! A cursor over the tokens of one statement.

use sqlparser::dialect::MySqlDialect;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace};

use crate::sql::ast::Name;
use crate::sql::error::{ErrorKind, Position, SqlError};

/// Words that are never taken for an alias or a bare name, since a clause or operator begins with them.
const RESERVED: &[&str] = &[
    "ALL",
    "ALTER",
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CREATE",
    "CROSS",
    "DELETE",
    "DESC",
    "DISTINCT",
    "DIV",
    "DROP",
    "ELSE",
    "EXISTS",
    "FOR",
    "FORCE",
    "FOREIGN",
    "FROM",
    "GROUP",
    "HAVING",
    "IGNORE",
    "IN",
    "INDEX",
    "INNER",
    "INSERT",
    "INTO",
    "IS",
    "JOIN",
    "KEY",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LOCK",
    "MOD",
    "NATURAL",
    "NOT",
    "NULL",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "PRIMARY",
    "PROCEDURE",
    "REFERENCES",
    "REPLACE",
    "RIGHT",
    "SELECT",
    "SET",
    "STRAIGHT_JOIN",
    "TABLE",
    "THEN",
    "UNION",
    "UNIQUE",
    "UPDATE",
    "USE",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WITH",
    "XOR",
];

/// How deep expressions and subqueries may nest; recursion beyond it could exhaust the stack.
const MAX_DEPTH: u32 = 64;

/// The tokens of one statement and how far they have been read.
pub(super) struct Cursor {
    tokens: Vec<TokenWithSpan>,
    at: usize,
    depth: u32,
}

impl Cursor {
    /// Splits a text into tokens; a semicolon at the end is dropped.
    ///
    /// # Errors
    /// On an unfinished literal or comment and on characters of no token.
    pub(super) fn new(sql: &str) -> Result<Cursor, SqlError> {
        let dialect = MySqlDialect {};
        let mut tokens = Tokenizer::new(&dialect, sql)
            .tokenize_with_location()
            .map_err(|error| SqlError {
                kind: ErrorKind::Syntax {
                    expected: "a whole token".to_owned(),
                    found: error.message,
                },
                position: Some(position(error.location)),
                advice: Some("close the quote or comment that begins here".to_owned()),
            })?;
        let end = end_of(sql);
        tokens.retain(|token| !is_blank(&token.token));
        while matches!(tokens.last(), Some(last) if last.token == Token::SemiColon) {
            tokens.pop();
        }
        tokens.push(TokenWithSpan::at(Token::EOF, end, end));
        Ok(Cursor {
            tokens,
            at: 0,
            depth: 0,
        })
    }

    /// The next token.
    pub(super) fn peek(&self) -> &Token {
        &self.tokens[self.at].token
    }

    /// The token `ahead` places after the next one; the end stays the end.
    pub(super) fn peek_at(&self, ahead: usize) -> &Token {
        let at = (self.at + ahead).min(self.tokens.len() - 1);
        &self.tokens[at].token
    }

    /// Where the next token stands.
    pub(super) fn position(&self) -> Position {
        position(self.tokens[self.at].span.start)
    }

    /// Takes the next token.
    pub(super) fn advance(&mut self) -> Token {
        let token = self.tokens[self.at].token.clone();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        token
    }

    /// Takes the token if it is the next one.
    pub(super) fn eat_token(&mut self, token: &Token) -> bool {
        let found = self.peek() == token;
        if found {
            self.advance();
        }
        found
    }

    /// Takes the token.
    pub(super) fn expect_token(&mut self, token: &Token) -> Result<(), SqlError> {
        if self.eat_token(token) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("'{token}'")))
        }
    }

    /// Whether the token `ahead` places on is this unquoted word.
    pub(super) fn is_word_at(&self, ahead: usize, word: &str) -> bool {
        matches!(self.peek_at(ahead), Token::Word(found)
            if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
    }

    /// Whether the next tokens are these words.
    pub(super) fn is(&self, words: &[&str]) -> bool {
        words
            .iter()
            .enumerate()
            .all(|(ahead, word)| self.is_word_at(ahead, word))
    }

    /// Takes these words if they are next.
    pub(super) fn eat(&mut self, words: &[&str]) -> bool {
        let found = self.is(words);
        if found {
            for _ in words {
                self.advance();
            }
        }
        found
    }

    /// Takes these words.
    pub(super) fn expect(&mut self, words: &[&str]) -> Result<(), SqlError> {
        if self.eat(words) {
            Ok(())
        } else {
            Err(self.unexpected(&words.join(" ")))
        }
    }

    /// Takes a name: a quoted one, or a word that is not reserved.
    pub(super) fn name(&mut self, what: &str) -> Result<Name, SqlError> {
        let position = self.position();
        match self.peek() {
            Token::Word(word) if word.quote_style.is_some() || !is_reserved(&word.value) => {
                let text = word.value.clone();
                self.advance();
                Ok(Name { text, position })
            }
            _ => Err(self.unexpected(what)),
        }
    }

    /// Whether the next token could be a name.
    pub(super) fn at_name(&self) -> bool {
        matches!(self.peek(), Token::Word(word)
            if word.quote_style.is_some() || !is_reserved(&word.value))
    }

    /// Takes names in parentheses.
    pub(super) fn names(&mut self, what: &str) -> Result<Vec<Name>, SqlError> {
        self.expect_token(&Token::LParen)?;
        let names = self.list(|cursor| cursor.name(what))?;
        self.expect_token(&Token::RParen)?;
        Ok(names)
    }

    /// Takes one or more things with commas between them.
    pub(super) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Cursor) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, SqlError> {
        let mut items = vec![item(self)?];
        while self.eat_token(&Token::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Takes a whole number.
    pub(super) fn number(&mut self, what: &str) -> Result<u64, SqlError> {
        let parsed = match self.peek() {
            Token::Number(text, _) => text.parse().ok(),
            _ => None,
        };
        match parsed {
            Some(number) => {
                self.advance();
                Ok(number)
            }
            None => Err(self.unexpected(what)),
        }
    }

    /// Runs a part of the grammar that may contain itself.
    pub(super) fn nested<T>(
        &mut self,
        part: impl FnOnce(&mut Cursor) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        if self.depth >= MAX_DEPTH {
            return Err(SqlError::unsupported(
                format!("an expression nested more than {MAX_DEPTH} deep"),
                Some(self.position()),
                "flatten it",
            ));
        }
        self.depth += 1;
        let result = part(self);
        self.depth -= 1;
        result
    }

    /// The error that the next token is not what could stand there.
    pub(super) fn unexpected(&self, expected: &str) -> SqlError {
        let found = match self.peek() {
            Token::EOF => "the end of the statement".to_owned(),
            token => format!("'{token}'"),
        };
        SqlError {
            kind: ErrorKind::Syntax {
                expected: expected.to_owned(),
                found,
            },
            position: Some(self.position()),
            advice: None,
        }
    }

    /// The error that a construct beginning at the next token is not implemented.
    pub(super) fn unsupported(&self, construct: &str, advice: &str) -> SqlError {
        SqlError::unsupported(construct, Some(self.position()), advice)
    }

    /// Fails unless the statement ends here.
    pub(super) fn end(&self) -> Result<(), SqlError> {
        match self.peek() {
            Token::EOF => Ok(()),
            Token::SemiColon => Err(self.unsupported(
                "several statements in one text",
                "give each statement by itself",
            )),
            _ => Err(self.unexpected("the end of the statement")),
        }
    }
}

fn is_reserved(word: &str) -> bool {
    RESERVED
        .iter()
        .any(|reserved| reserved.eq_ignore_ascii_case(word))
}

/// White space, comments, and the end that the tokenizer may have put.
fn is_blank(token: &Token) -> bool {
    matches!(
        token,
        Token::EOF
            | Token::Whitespace(
                Whitespace::Space
                    | Whitespace::Newline
                    | Whitespace::Tab
                    | Whitespace::SingleLineComment { .. }
                    | Whitespace::MultiLineComment(_),
            )
    )
}

fn position(location: Location) -> Position {
    Position {
        line: u32::try_from(location.line.max(1)).unwrap_or(u32::MAX),
        column: u32::try_from(location.column.max(1)).unwrap_or(u32::MAX),
    }
}

/// The place just after the text.
fn end_of(sql: &str) -> Location {
    let sql = sql.trim_end();
    let line = sql.matches('\n').count() as u64 + 1;
    let column = sql.rsplit('\n').next().unwrap_or("").chars().count() as u64 + 1;
    Location { line, column }
}
