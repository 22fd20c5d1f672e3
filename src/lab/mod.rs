//! The lab: scenarios of several sessions played, explained, explored, and measured against
//! recordings of real servers.

pub mod advise;
pub mod bench;
mod chance;
pub mod conform;
pub mod explore;
pub mod fuzz;
pub mod generate;
#[cfg(feature = "live")]
pub mod live;
pub mod machine;
pub mod prepare;
pub mod report;
pub mod runner;
pub mod say;
pub mod scenario;
pub mod shrink;
pub mod stress;
pub mod text;
pub mod world;

use gaplock_engine::profile;

/// Explores every interleaving of some sessions, for tests of one's own transactions.
///
/// `setup` makes the tables and rows; each session has a name and its statements, after which it
/// commits. The isolation level is REPEATABLE READ unless a session says otherwise. The result says
/// what was covered, every deadlock and every end, each with the shortest schedule that leads there.
///
/// ```
/// use gaplock::lab;
///
/// # fn main() -> Result<(), lab::LabError> {
/// // Two transfers that lock two accounts in the same order.
/// let transfer = [
///     "BEGIN",
///     "UPDATE account SET balance = balance - 1 WHERE id = 1",
///     "UPDATE account SET balance = balance + 1 WHERE id = 2",
/// ];
/// let found = lab::explore(
///     "mysql-8.0.30",
///     &[
///         "CREATE TABLE account (id INT PRIMARY KEY, balance INT)",
///         "INSERT INTO account VALUES (1, 10), (2, 10)",
///     ],
///     &[("a", &transfer), ("b", &transfer)],
/// )?;
/// assert!(found.exhaustive, "not every interleaving was covered");
/// assert!(found.cycles.is_empty(), "{}", found.lines().join("\n"));
/// assert_eq!(found.outcomes.len(), 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The profile is not known, the set-up fails, or a page cannot be read.
pub fn explore(
    profile: &str,
    setup: &[&str],
    sessions: &[(&str, &[&str])],
) -> Result<explore::Exploration, LabError> {
    let known = profile::find(profile);
    let known = known.ok_or_else(|| LabError::NoProfile(profile.to_owned()))?;
    let texts = |all: &[&str]| all.iter().map(|sql| (*sql).to_owned()).collect();
    let case = shrink::Case {
        isolation: "repeatable read".to_owned(),
        setup: texts(setup),
        sessions: sessions
            .iter()
            .map(|(name, said)| ((*name).to_owned(), texts(said)))
            .collect(),
    };
    let prepared = case
        .prepare(&known, explore::Rules::default())
        .map_err(LabError::SetUp)?;
    Ok(explore::explore(
        &prepared.world,
        &prepared.program,
        explore::Bounds::default(),
        &mut |_, _| {},
    )?)
}

/// Why [`explore()`] could not explore.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// There is no profile of that name.
    #[error("no profile `{0}`")]
    NoProfile(String),
    /// A statement of the set-up failed.
    #[error("the set-up failed: {0}")]
    SetUp(String),
    /// The search failed.
    #[error(transparent)]
    Explore(#[from] explore::ExploreError),
}
