//! The command `ecphory`: the only place of the project that prints, reads the environment and exits.
//!
//! `main` parses the arguments, builds a [`context::Context`] from them and the environment, hands both to
//! one function of [`commands`], and turns an error into a message and the exit code of its kind.

#![allow(clippy::print_stderr, reason = "errors and notices of the command go to standard error")]

mod args;
mod bytes;
mod commands;
mod context;
mod cratedocs;
mod failure;
mod judging;
mod prepared;
mod progress;
mod table;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = args::Arguments::parse();
    match context::Context::new(&arguments.common, arguments.command.repeats_encodings())
        .and_then(|context| commands::dispatch(&arguments.command, &context))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if failure::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", failure::message(&error));
            ExitCode::from(failure::kind(&error).exit_code())
        }
    }
}
