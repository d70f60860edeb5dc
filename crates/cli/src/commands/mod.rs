//! The commands, one module each: arguments and context in, output out.

mod add;
mod audit;
mod care;
mod compare;
mod data;
mod delete;
mod encode;
mod eval;
mod fuse;
pub mod index;
mod inspect;
mod lock;
mod mine;
mod models;
mod quickstart;
mod repro;
mod run;
mod search;
mod split;
mod train;

use crate::args::Command;
use crate::context::Context;

/// Runs one command.
pub fn dispatch(command: &Command, context: &Context) -> anyhow::Result<()> {
    match command {
        Command::Quickstart(args) => quickstart::quickstart(args, context),
        Command::Index(args) => index::index(args, context),
        Command::Add(args) => add::add(args, context),
        Command::Delete(args) => delete::delete(args, context),
        Command::Search(args) => search::search(args, context),
        Command::Run(args) => run::run(args, context),
        Command::Eval(args) => eval::eval(args, context),
        Command::Compare(args) => compare::compare(args, context),
        Command::Fuse(args) => fuse::fuse(args, context),
        Command::Encode(args) => encode::encode(args, context),
        Command::Train(args) => train::train(args, context),
        Command::Mine(args) => mine::mine(args, context),
        Command::Repro(args) => repro::repro(args, context),
        Command::Split(args) => split::split(args, context),
        Command::Models(args) => models::models(args, context),
        Command::Data(args) => data::data(args, context),
        Command::Inspect(args) => inspect::inspect(args, context),
        Command::Check(args) => care::check(args, context),
        Command::Compact(args) => care::compact(args, context),
        Command::Backup(args) => care::backup(args, context),
        Command::Restore(args) => care::restore(args, context),
        Command::Migrate(args) => care::migrate(args, context),
    }
}
