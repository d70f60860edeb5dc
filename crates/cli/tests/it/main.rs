//! The command as a real process: what a script relies on.

mod bad_input;
mod judge;
mod main_job;
mod support;
