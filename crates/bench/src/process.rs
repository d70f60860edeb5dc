//! The parent's end of the line protocol: starts a side and asks it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::cache::Python;

/// A side that runs as a process; it ends when this is dropped.
pub struct Process {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a side that is this binary itself.
    pub fn own(side: &str, threads: usize) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["side", side, "--threads", &threads.to_string()]);
        Self::start(side, command, threads)
    }

    /// Starts a side that is one of the scripts in `peers/`.
    pub fn python(python: &Python, script: &str, side: &str, threads: usize) -> Result<Self> {
        let mut command = Command::new(&python.interpreter);
        command.arg(python.scripts.join(script)).arg(side).arg(threads.to_string());
        // Where only one of the two is set or both name an older processor, NumPy would run slower than it
        // does for its users.
        command.env_remove("OPENBLAS_CORETYPE").env_remove("OPENBLAS_L2_SIZE");
        command.env("HF_HUB_OFFLINE", "1").env("TRANSFORMERS_VERBOSITY", "error");
        command.env("PYTHONWARNINGS", "ignore").env("TQDM_DISABLE", "1");
        Self::start(side, command, threads)
    }

    fn start(name: &str, mut command: Command, threads: usize) -> Result<Self> {
        for variable in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"] {
            command.env(variable, threads.to_string());
        }
        command.env("TOKENIZERS_PARALLELISM", if threads > 1 { "true" } else { "false" });
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("could not start {name}"))?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("the child has no output")?;
        Ok(Self { name: name.to_owned(), child, input, output: BufReader::new(output) })
    }

    /// Sends a request and waits for the answer.
    pub fn ask(&mut self, op: &str, mut request: Value) -> Result<Value> {
        request["op"] = json!(op);
        let name = &self.name;
        let input = self.input.as_mut().context("the side has ended")?;
        writeln!(input, "{request}").with_context(|| format!("{name} has ended before `{op}`"))?;
        input.flush()?;
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("{name} ended during `{op}`");
        }
        let answer: Value = serde_json::from_str(&line)
            .with_context(|| format!("{name} answered `{op}` with {line:?}"))?;
        match answer.get("error") {
            Some(error) => bail!("{name} failed in `{op}`: {}", error.as_str().unwrap_or("?")),
            None => Ok(answer),
        }
    }

    /// Sends a request whose answer holds one number under `key`.
    pub fn measure(&mut self, op: &str, request: Value, key: &str) -> Result<f64> {
        let answer = self.ask(op, request)?;
        answer[key].as_f64().with_context(|| format!("{} gave no `{key}`: {answer}", self.name))
    }

    /// Queries per second of the same search over a second or more: one pass over the queries may take too little time
    /// to be measured next to other programs.
    pub fn rate(&mut self, request: &Value) -> Result<f64> {
        let (mut queries, mut seconds) = (0.0, 0.0);
        while seconds < 1.0 {
            let answer = self.ask("search", request.clone())?;
            queries += answer["queries"].as_f64().context("the side gave no `queries`")?;
            seconds += answer["seconds"].as_f64().context("the side gave no `seconds`")?;
        }
        Ok(queries / seconds)
    }

    /// The most memory the process has had, in bytes.
    pub fn peak(&mut self) -> Result<f64> {
        self.measure("peak", json!({}), "bytes")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The end of its input tells the side to go; a side in the middle of work has to be stopped.
        self.input = None;
        for _ in 0..20 {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
