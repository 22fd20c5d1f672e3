//! What can go wrong with a real server, and what to do about it.

use thiserror::Error;

/// Why a server could not be used, or a case not be played on it.
#[derive(Debug, Error)]
pub enum LiveError {
    /// The URL is not one.
    #[error("`{url}` is not a server's URL: {what}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        what: String,
    },
    /// There is no connection.
    #[error("cannot connect to {server}: {what}")]
    Connect {
        /// Where to; without the password.
        server: String,
        /// What the client library said.
        what: String,
    },
    /// The connection broke, or the server sent what nobody understands.
    #[error("{doing}: {what}")]
    Lost {
        /// What was being done.
        doing: String,
        /// What the client library said.
        what: String,
    },
    /// No profile stands for this release.
    #[error("the server is `{version}`, for which there is no profile")]
    UnknownRelease {
        /// The release, as the server names it.
        version: String,
    },
    /// The account lacks a privilege.
    #[error("the account may not {what}: {message}")]
    Privilege {
        /// What for.
        what: &'static str,
        /// The server's message.
        message: String,
    },
    /// The server does not list locks in its status, and does not let itself be told to.
    #[error("the server does not list locks: {message}")]
    LocksNotListed {
        /// The server's message.
        message: String,
    },
    /// The status has a form that is not known.
    #[error("SHOW ENGINE INNODB STATUS: {what}")]
    Status {
        /// What is missing or not understood.
        what: String,
    },
    /// A statement that the engine does not know, and that is therefore not sent anywhere.
    #[error("not sent to the server: {sql}: {what}")]
    Refused {
        /// The statement.
        sql: String,
        /// Why it is refused.
        what: String,
    },
    /// The server failed a statement of the set-up.
    #[error("set-up of {case}: {sql}: {what}")]
    Setup {
        /// The case.
        case: String,
        /// The statement.
        sql: String,
        /// The server's error.
        what: String,
    },
    /// A database of our name is there already.
    #[error("the server has a database `{schema}` already")]
    SchemaTaken {
        /// Its name.
        schema: String,
    },
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl LiveError {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            LiveError::Url { .. } => "for example mysql://user:password@host:3306, or \
                 mysql://user@localhost?socket=/run/mysqld/mysqld.sock"
                .to_owned(),
            LiveError::Connect { .. } => {
                "is the server up, and do host, port or socket, user and password fit?".to_owned()
            }
            LiveError::UnknownRelease { .. } => {
                "name the nearest with --profile; `gaplock profiles` lists them".to_owned()
            }
            LiveError::Privilege { .. } => {
                "an account for tests needs PROCESS, and ALL on `gaplock\\_live\\_%`.*".to_owned()
            }
            LiveError::LocksNotListed { .. } => {
                "let an administrator run: SET GLOBAL innodb_status_output_locks = ON".to_owned()
            }
            LiveError::Refused { .. } => {
                "cases consist of statements that gaplock can play too".to_owned()
            }
            LiveError::SchemaTaken { schema } => {
                format!("if it is left over from a run that was killed: DROP DATABASE {schema}")
            }
            LiveError::Lost { .. }
            | LiveError::Status { .. }
            | LiveError::Setup { .. }
            | LiveError::Interrupted => return None,
        })
    }

    /// An error of the client library while something was done.
    pub(super) fn of(doing: &str, error: &mysql::Error) -> LiveError {
        /// Numbers by which servers refuse for lack of a privilege.
        const DENIED: [u16; 4] = [1044, 1045, 1142, 1227];
        match error {
            mysql::Error::MySqlError(refusal) if DENIED.contains(&refusal.code) => {
                LiveError::Privilege {
                    what: "do what playing cases needs",
                    message: refusal.message.clone(),
                }
            }
            other => LiveError::Lost {
                doing: doing.to_owned(),
                what: other.to_string(),
            },
        }
    }
}
