//! The child's end of the line protocol: a request is one line of JSON with the key `op`, an answer one line
//! of JSON, with the key `error` where it failed. The Python peers speak it through `peers/protocol.py`.

use std::io::{BufRead, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;
use ecphory_model::Precision;
use serde_json::{Value, json};

use crate::encode::served::Served;
use crate::{bm25, encode, mine, sparse, train};

/// Which side to be.
#[derive(Args)]
pub struct Options {
    /// `ours-bm25`, `tantivy`, `ours-encode`, `ours-encode-int8`, `candle`, `ours-mine`, `ours-sparse` or
    /// `ours-train`
    name: String,
    /// How many threads the side may use
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

/// Something that carries out requests.
pub trait Side {
    /// Carries out one request and says what it measured.
    fn ask(&mut self, op: &str, request: &Value) -> Result<Value>;
}

/// Serves requests until the standard input ends.
pub fn run(options: &Options) -> Result<()> {
    let mut side: Box<dyn Side> = match options.name.as_str() {
        "ours-bm25" => Box::new(bm25::ours::Ours::new(options.threads)?),
        #[cfg(feature = "peers")]
        "tantivy" => Box::new(bm25::tantivy::Tantivy::new(options.threads)),
        "ours-encode" => encoder(options.threads, Precision::default())?,
        "ours-encode-int8" => encoder(options.threads, Precision::Int8)?,
        "ours-mine" => Box::new(mine::ours::Ours::new(options.threads)?),
        "ours-sparse" => Box::new(sparse::ours::Ours::new(options.threads)?),
        "ours-train" => Box::new(train::ours::Ours::new(options.threads)?),
        #[cfg(feature = "candle")]
        "candle" => Box::new(Served::new(encode::candle::Candle::default())),
        name => bail!(
            "there is no side {name} in this build (peers need the features `peers` and `candle`)"
        ),
    };
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = answer(side.as_mut(), &line?);
        let answer = answer.unwrap_or_else(|error| json!({ "error": format!("{error:#}") }));
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

fn encoder(threads: usize, precision: Precision) -> Result<Box<dyn Side>> {
    Ok(Box::new(Served::new(encode::ours::Ours::new(threads, precision)?)))
}

fn answer(side: &mut dyn Side, line: &str) -> Result<Value> {
    let request: Value = serde_json::from_str(line)?;
    let op = text(&request, "op")?;
    if op == "peak" {
        Ok(json!({ "bytes": peak_bytes(Path::new("/proc/self/status"))? }))
    } else {
        side.ask(op, &request)
    }
}

/// The text under a key of a request.
pub fn text<'a>(request: &'a Value, key: &str) -> Result<&'a str> {
    request[key].as_str().with_context(|| format!("the request has no text `{key}`"))
}

/// The whole number under a key of a request.
pub fn count(request: &Value, key: &str) -> Result<usize> {
    let number = request[key].as_u64();
    Ok(number.with_context(|| format!("the request has no number `{key}`"))? as usize)
}

/// The most memory that a process has had, from the kernel's own count (`VmHWM`) in its status.
pub fn peak_bytes(status: &Path) -> Result<u64> {
    let status = fs_err::read_to_string(status)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kibibytes.context("the kernel does not say VmHWM")? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Echo;

    impl Side for Echo {
        fn ask(&mut self, op: &str, request: &Value) -> Result<Value> {
            Ok(json!({ "op": op, "k": count(request, "k")? }))
        }
    }

    #[test]
    fn requests_are_answered_and_memory_is_counted() {
        let got = answer(&mut Echo, r#"{"op": "search", "k": 3}"#).unwrap();
        assert_eq!(got, json!({ "op": "search", "k": 3 }));
        assert!(answer(&mut Echo, r#"{"op": "search"}"#).is_err());
        assert!(answer(&mut Echo, "no JSON").is_err());
        let peak = answer(&mut Echo, r#"{"op": "peak"}"#).unwrap();
        assert!(peak["bytes"].as_u64().unwrap() > 1 << 20);
    }
}
