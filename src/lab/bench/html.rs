//! Runs as one page that needs nothing else: tables, and bars drawn as SVG.

use minijinja::{Environment, context};
use serde::Serialize;

use super::{Outcome, Suite};

const TEMPLATE: &str = include_str!("report.html");

/// Length of the longest bar.
const BAR_MAX: f64 = 360.0;

/// One figure of one run, to be drawn.
#[derive(Serialize)]
struct Bar {
    label: String,
    y: usize,
    length: f64,
    text: String,
}

/// One figure of all runs of one workload.
#[derive(Serialize)]
struct Plot {
    title: &'static str,
    height: usize,
    bars: Vec<Bar>,
}

#[derive(Serialize)]
struct Section<'a> {
    workload: &'a str,
    mode: &'a str,
    clients: usize,
    outcomes: Vec<&'a Outcome>,
    plots: Vec<Plot>,
}

/// What is drawn: a title and how to read the figure off a run.
type Figure = (&'static str, fn(&Outcome) -> f64);

const FIGURES: [Figure; 4] = [
    ("commits a second", |one| one.throughput),
    ("mean latency, ms", |one| one.latency.mean / 1e3),
    ("99th percentile, ms", |one| one.latency.p99 as f64 / 1e3),
    ("aborts for each commit", |one| one.aborts_per_commit),
];

fn plot((title, figure): Figure, outcomes: &[&Outcome]) -> Plot {
    let largest = outcomes.iter().map(|one| figure(one)).fold(0.0, f64::max);
    let bar = |(at, one): (usize, &&Outcome)| {
        let value = figure(one);
        Bar {
            label: format!("{} {}", one.policies, one.profile),
            y: 20 * at,
            length: if largest > 0.0 {
                BAR_MAX * value / largest
            } else {
                0.0
            },
            text: if value >= 100.0 {
                format!("{value:.0}")
            } else {
                format!("{value:.2}")
            },
        }
    };
    Plot {
        title,
        height: 20 * outcomes.len(),
        bars: outcomes.iter().enumerate().map(bar).collect(),
    }
}

/// The page.
#[must_use]
pub fn to_html(suite: &Suite) -> String {
    let same = |one: &Outcome, other: &Outcome| {
        one.workload == other.workload && one.mode == other.mode && one.clients == other.clients
    };
    let sections: Vec<Section<'_>> = suite
        .outcomes
        .chunk_by(same)
        .map(|chunk| {
            let outcomes: Vec<&Outcome> = chunk.iter().collect();
            Section {
                workload: &chunk[0].workload,
                mode: &chunk[0].mode,
                clients: chunk[0].clients,
                plots: FIGURES.into_iter().map(|f| plot(f, &outcomes)).collect(),
                outcomes,
            }
        })
        .collect();
    let mut environment = Environment::new();
    let added = environment.add_template("report.html", TEMPLATE);
    added.expect("the template is our own");
    let template = environment.get_template("report.html");
    let template = template.expect("it was added");
    let page = template.render(context! { seed => suite.seed, sections => sections });
    page.expect("the template asks only for what it is given")
}
