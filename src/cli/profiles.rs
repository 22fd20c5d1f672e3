//! `gaplock profiles`.

use gaplock_engine::profile::{self, FACTS, Profile};
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
            }));
        } else {
            output.line(&format!("{:36} {}", profile.name, profile.server_version));
        }
    }
}

fn show(profile: &Profile, as_json: bool, output: &mut Output) {
    if as_json {
        let facts = FACTS.iter().map(|fact| {
            let value = profile.get(fact.name);
            let what = json!({"value": value, "what": fact.what, "source": fact.source});
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
    let title = format!("{}, as {}", profile.name, profile.server_version);
    output.toned(Tone::Heading, &title);
    for fact in FACTS {
        let value = profile.get(fact.name).unwrap_or_default();
        output.line(&format!("{:36} {value}", fact.name));
        output.toned(Tone::Faint, &format!("    {} [{}]", fact.what, fact.source));
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
