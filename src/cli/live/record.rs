//! `gaplock record`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use gaplock::lab::conform::Case;
use gaplock::lab::conform::trace::{RecordedStep, Recording, Variant};
use gaplock::lab::live::{self, LiveServer};

use super::super::Status;
use super::super::diagnostics::Failure;
use super::super::output::{Output, Tone};
use super::args::RecordArguments;
use super::cases;

pub(in crate::cli) fn record(
    arguments: &RecordArguments,
    output: &mut Output,
) -> Result<Status, Failure> {
    let of_files = cases::of_files(&arguments.cases)?;
    let (seed, random) = cases::random(&arguments.random);
    let mut file = Sink::create(&arguments.output)?;
    let mut server = cases::connect(&arguments.server)?;
    output.toned(
        Tone::Heading,
        &format!("{}, recorded as {}", server.version(), server.profile()),
    );
    if let Some(seed) = seed {
        output.line(&format!("seed {seed}"));
    }
    let mut counts = Counts::default();
    let mut played = Ok(());
    for case in of_files.into_iter().chain(random) {
        played = record_one(&mut server, &case, arguments.times, &mut file, &mut counts);
        if played.is_err() {
            break;
        }
    }
    server.close()?;
    played?;
    file.finish()?;
    output.line(&format!(
        "{} cases, {} with several outcomes, {} given up",
        counts.cases, counts.racy, counts.bad
    ));
    Ok(if counts.bad > 0 {
        Status::BoundHit
    } else {
        Status::AsExpected
    })
}

#[derive(Default)]
struct Counts {
    cases: u64,
    racy: u64,
    bad: u64,
}

fn record_one(
    server: &mut LiveServer,
    case: &Case,
    times: u64,
    file: &mut Sink,
    counts: &mut Counts,
) -> Result<(), Failure> {
    let mut recording = live::record(server, case)?;
    let mut variants = vec![Variant {
        count: 1,
        steps: recording.steps.clone(),
    }];
    for _ in 1..times.max(1) {
        let again = live::record(server, case)?;
        match variants.iter_mut().find(|v| same(&v.steps, &again.steps)) {
            Some(variant) => variant.count += 1,
            None => variants.push(Variant {
                count: 1,
                steps: again.steps,
            }),
        }
        recording.bad = recording.bad.or(again.bad);
    }
    counts.cases += 1;
    counts.bad += u64::from(recording.bad.is_some());
    if times > 1 {
        recording.deterministic = Some(variants.len() == 1);
    }
    if variants.len() > 1 {
        counts.racy += 1;
        recording.variants = variants;
    }
    file.line(&recording)
}

/// Whether two runs came to the same; a deadlock's text has times in it.
fn same(left: &[RecordedStep], right: &[RecordedStep]) -> bool {
    let text = |steps: &[RecordedStep]| {
        let mut steps = steps.to_vec();
        for step in &mut steps {
            step.deadlock_text = None;
        }
        serde_json::to_string(&steps).expect("our own data always has a JSON form")
    };
    text(left) == text(right)
}

/// The file that recordings go to.
struct Sink {
    path: String,
    stream: Stream,
}

enum Stream {
    Plain(BufWriter<File>),
    Compressed(Box<GzEncoder<BufWriter<File>>>),
}

impl Sink {
    fn create(path: &Path) -> Result<Sink, Failure> {
        let shown = path.display().to_string();
        let file = File::create(path).map_err(|error| failure(&shown, &error))?;
        let stream = BufWriter::new(file);
        let compressed = path.extension().is_some_and(|e| e == "gz");
        Ok(Sink {
            path: shown,
            stream: if compressed {
                Stream::Compressed(Box::new(GzEncoder::new(stream, Compression::best())))
            } else {
                Stream::Plain(stream)
            },
        })
    }

    fn line(&mut self, recording: &Recording) -> Result<(), Failure> {
        let mut line = serde_json::to_string(recording).expect("our own data has a JSON form");
        line.push('\n');
        let written = match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(line.as_bytes()),
            Stream::Compressed(stream) => stream.write_all(line.as_bytes()),
        };
        written.map_err(|error| failure(&self.path, &error))
    }

    fn finish(self) -> Result<(), Failure> {
        let finished = match self.stream {
            Stream::Plain(mut stream) => stream.flush(),
            Stream::Compressed(stream) => stream.finish().and_then(|mut stream| stream.flush()),
        };
        finished.map_err(|error| failure(&self.path, &error))
    }
}

fn failure(path: &str, error: &io::Error) -> Failure {
    Failure::plain(format!("{path}: {error}"), None)
}
