//! `ecphory encode`: texts into vectors, in constant memory, to be gone on with after an interruption.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use ecphory::export::{Existing, ExportOptions, Exported, ValueType, VectorExport};
use ecphory::read::{self, Place, Summary, TextOptions};
use ecphory::{Encoder, EncoderOptions, Error, ErrorKind, Role};
use fs_err as fs;
use serde_json::json;

use crate::args::{Encode, RoleName, ValueName};
use crate::commands::index::write_skipped;
use crate::context::{Context, print_json};
use crate::failure::Failure;
use crate::progress::Named;

/// Encodes texts.
pub fn encode(args: &Encode, context: &Context) -> anyhow::Result<()> {
    let start = Instant::now();
    let source = Source::of(args);
    let options = options(args, &source)?;
    let encoder = encoder(args, context)?;
    let progress = context.progress();
    let mut out = io::stdout().lock();
    let mut export = match &args.output {
        Some(path) => VectorExport::to_file(&context.engine, encoder, path, &options, progress)?,
        None if args.values != ValueName::F32 => {
            return Err(Failure::Usage("--values is for files: name one with --output").into());
        }
        None => VectorExport::to_lines(&context.engine, encoder, &mut out, &options, progress),
    };
    let begun = export.done().resumed;
    if begun > 0 {
        context.notice(&format!("going on after {begun} texts"));
    }
    let read = source.push_into(&mut export, context);
    let done = export.done();
    let finished = read.and_then(|read| export.finish().map(|done| (read, done)));
    drop(out);
    match finished {
        Ok((read, done)) => report(args, &read, done, start.elapsed().as_secs_f64(), context),
        Err(error) => Err(stopped(args, error, done, context)),
    }
}

fn encoder(args: &Encode, context: &Context) -> ecphory::Result<Arc<Encoder>> {
    let options = EncoderOptions {
        max_tokens: args.max_tokens,
        precision: args.precision,
        #[cfg(feature = "onnx")]
        runtime: args
            .onnx_runtime
            .clone()
            .map_or_else(ecphory::Runtime::default, |library| ecphory::Runtime::Onnx { library }),
    };
    context.engine.encoder(&args.model, &options)
}

fn options(args: &Encode, source: &Source<'_>) -> anyhow::Result<ExportOptions> {
    Ok(ExportOptions {
        role: match args.role {
            RoleName::Query => Role::Query,
            RoleName::Document => Role::Document,
        },
        values: match args.values {
            ValueName::F32 => ValueType::F32,
            ValueName::F16 => ValueType::F16,
        },
        batch_texts: args.batch as usize,
        existing: match (args.resume, args.replace) {
            (true, _) => Existing::Resume,
            (_, true) => Existing::Replace,
            _ => Existing::Refuse,
        },
        source: source.description(),
        input_bytes: source.bytes()?,
    })
}

/// Where the texts come from.
enum Source<'a> {
    /// The options.
    Texts(&'a [String]),
    Documents(&'a Path, TextOptions),
    /// The lines of standard input.
    Lines,
}

impl<'a> Source<'a> {
    fn of(args: &'a Encode) -> Self {
        if !args.text.is_empty() {
            return Source::Texts(&args.text);
        }
        let Some(path) = &args.input else { return Source::Lines };
        let fields = match &args.fields[..] {
            [] => TextOptions::default().fields,
            fields => fields.to_vec(),
        };
        Source::Documents(path, TextOptions { fields, skip_bad: args.skip_bad })
    }

    fn description(&self) -> String {
        match self {
            Source::Texts(_) => "the command line".to_owned(),
            Source::Documents(_, options) => format!("the fields {}", options.fields.join(", ")),
            Source::Lines => "the lines of standard input".to_owned(),
        }
    }

    /// Returns the size of a file; that of anything else is not known.
    fn bytes(&self) -> anyhow::Result<Option<u64>> {
        let Source::Documents(path, _) = self else { return Ok(None) };
        let metadata = fs::metadata(path)?;
        Ok(metadata.is_file().then_some(metadata.len()))
    }

    fn push_into(
        &self,
        export: &mut VectorExport<'_>,
        context: &Context,
    ) -> Result<Summary, Error> {
        if export.is_whole() {
            return Ok(Summary::default());
        }
        let progress = Named { task: "encoding".to_owned(), progress: context.progress() };
        match self {
            Source::Texts(texts) => {
                let place = Place { path: PathBuf::from("--text"), line: None };
                for (i, text) in texts.iter().enumerate() {
                    export.push((i + 1).to_string(), text.clone(), &place)?;
                }
                Ok(Summary::default())
            }
            Source::Documents(path, options) => {
                read::texts(path, options, &progress, &mut |id, text, place| {
                    export.push(id, text, place)
                })
            }
            Source::Lines => push_lines(export, context),
        }
    }
}

/// Takes each line of standard input as a text; its number is its id.
fn push_lines(export: &mut VectorExport<'_>, context: &Context) -> Result<Summary, Error> {
    let progress = context.progress();
    progress.begin("encoding", 0);
    let mut input = io::stdin().lock();
    let mut place = Place { path: PathBuf::from("standard input"), line: None };
    let pushed = (|| {
        for number in 1_u64.. {
            let mut line = String::new();
            let read = input.read_line(&mut line);
            let failed = |source| Error::Read { path: place.path.clone(), line: number, source };
            if read.map_err(failed)? == 0 {
                break;
            }
            let text = line.strip_suffix('\n').unwrap_or(&line);
            let text = text.strip_suffix('\r').unwrap_or(text);
            place.line = Some(number);
            export.push(number.to_string(), text.to_owned(), &place)?;
            progress.advance(1);
        }
        Ok(Summary::default())
    })();
    progress.end();
    pushed
}

/// Says what is kept of the work, and how to go on.
fn stopped(args: &Encode, error: Error, done: Exported, context: &Context) -> anyhow::Error {
    let Some(path) = &args.output else { return error.into() };
    let kept = format!("{} texts are in {}.partial", done.texts, path.display());
    if error.kind() == ErrorKind::Interrupted {
        let hint = "hint: the same command with --resume goes on";
        return Failure::Interrupted(format!("{kept}\n{hint}")).into();
    }
    // Where it cannot go on, the error says so.
    if done.texts > 0 && error.kind() != ErrorKind::Conflict {
        context.notice(&format!("note: {kept}; the same command with --resume goes on from there"));
    }
    error.into()
}

fn report(
    args: &Encode,
    read: &Summary,
    done: Exported,
    seconds: f64,
    context: &Context,
) -> anyhow::Result<()> {
    let rate = (done.texts - done.resumed) as f64 / seconds.max(1e-9);
    if let (true, Some(path)) = (context.common.json, &args.output) {
        let skipped: Vec<_> = read
            .skipped
            .iter()
            .map(|left_out| json!({"place": left_out.place, "reason": left_out.reason}))
            .collect();
        return print_json(&json!({
            "output": path.display().to_string(), "texts": done.texts, "resumed": done.resumed,
            "skipped": skipped, "seconds": seconds, "texts_per_second": rate,
        }));
    }
    let mut skipped = Vec::new();
    write_skipped(&mut skipped, &read.skipped)?;
    let summary = format!("{} texts in {seconds:.1} s ({rate:.1} a second)", done.texts);
    context.notice(format!("{summary}\n{}", String::from_utf8_lossy(&skipped)).trim_end());
    Ok(())
}
