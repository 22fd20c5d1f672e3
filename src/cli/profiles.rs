//! `gaplock profiles`.

use gaplock_engine::profile::{self, FACTS, Fact, Profile, Standing};
use serde_json::{Map, Value as Json, json};

use super::Status;
use super::args::ProfilesArguments;
use super::diagnostics::Failure;
use super::files::find_profile;
use super::output::{Output, Tone};

pub(super) fn profiles(
    arguments: &ProfilesArguments,
    output: &mut Output,
) -> Result<Status, Failure> {
    match (&arguments.name, &arguments.diff) {
        (Some(name), _) => show(&find_profile(name)?, arguments.json, output),
        (None, Some(names)) => {
            let from = find_profile(&names[0])?;
            let to = find_profile(&names[1])?;
            compare(&from, &to, arguments.json, output);
        }
        (None, None) => list(arguments.json, output),
    }
    Ok(Status::AsExpected)
}

fn list(as_json: bool, output: &mut Output) {
    for profile in profile::names().into_iter().filter_map(profile::find) {
        if as_json {
            output.json(&json!({
                "profile": profile.name,
                "server_version": profile.server_version,
                "recorded": profile::is_recorded(&profile.name),
                "facts_recorded": count(&profile, Standing::Recorded),
                "facts_documented": count(&profile, Standing::Documented),
                "facts_inferred": count(&profile, Standing::Inferred),
            }));
        } else {
            let line = format!(
                "{:36} {:20} {}",
                profile.name,
                profile.server_version,
                confirmed(&profile)
            );
            output.line(&line);
        }
    }
}

/// How many of a profile's facts are known so far.
fn count(profile: &Profile, standing: Standing) -> usize {
    let known = |fact: &&Fact| fact.standing(&profile.name) == standing;
    FACTS.iter().filter(known).count()
}

/// How far a profile is confirmed.
fn confirmed(profile: &Profile) -> String {
    let parts = [Standing::Recorded, Standing::Documented, Standing::Inferred]
        .map(|standing| (count(profile, standing), standing.word()));
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    parts.join(", ")
}

fn show(profile: &Profile, as_json: bool, output: &mut Output) {
    if as_json {
        let facts = FACTS.iter().map(|fact| {
            let value = profile.get(fact.name);
            let standing = fact.standing(&profile.name).word();
            let what = json!({
                "value": value,
                "what": fact.what,
                "source": fact.source,
                "standing": standing,
            });
            (fact.name.to_owned(), what)
        });
        let facts: Map<String, Json> = facts.collect();
        output.json(&json!({
            "profile": profile.name,
            "server_version": profile.server_version,
            "facts": facts,
        }));
        return;
    }
    let title = format!(
        "{}, as {}: {}",
        profile.name,
        profile.server_version,
        confirmed(profile)
    );
    output.toned(Tone::Heading, &title);
    for fact in FACTS {
        let value = profile.get(fact.name).unwrap_or_default();
        output.line(&format!("{:36} {value}", fact.name));
        let standing = fact.standing(&profile.name).word();
        let source = format!("    {} [{standing}: {}]", fact.what, fact.source);
        output.toned(Tone::Faint, &source);
    }
}

fn compare(from: &Profile, to: &Profile, as_json: bool, output: &mut Output) {
    let differences = from.differences(to);
    if as_json {
        let facts = differences.iter().map(|(fact, mine, theirs)| {
            let values =
                json!({"from": mine, "to": theirs, "what": fact.what, "source": fact.source});
            (fact.name.to_owned(), values)
        });
        let facts: Map<String, Json> = facts.collect();
        output.json(&json!({"from": from.name, "to": to.name, "facts": facts}));
        return;
    }
    if differences.is_empty() {
        output.line(&format!("{} and {} do not differ", from.name, to.name));
        return;
    }
    output.toned(
        Tone::Heading,
        &format!("{:36} {:24} {}", "fact", from.name, to.name),
    );
    for (fact, mine, theirs) in differences {
        output.line(&format!("{:36} {mine:24} {theirs}", fact.name));
        output.toned(Tone::Faint, &format!("    {} [{}]", fact.what, fact.source));
    }
}
