//! The arguments of the commands that change a collection and look after it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::memory;
use crate::bytes::ByteCount;

/// Add documents to a collection, batch by batch; each is found at once and by every channel.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ecphory add wiki.ecp news.jsonl --upsert\n  ecphory add wiki.ecp news.jsonl --durability interval --batch 100 --json\n\nEvery batch is whole or not there. With --json one line is printed for each batch once it is durable: `documents` in it is how many of the file's documents are acknowledged so far. What was interrupted goes on with --upsert."
)]
pub struct Add {
    /// The collection.
    pub collection: PathBuf,
    /// The documents, as for `index`.
    pub file: PathBuf,
    /// When a batch is acknowledged. It survives the end of the process at every level.
    #[arg(long, value_enum, default_value_t = DurabilityLevel::Always)]
    pub durability: DurabilityLevel,
    /// How many documents a batch has at most.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub batch: u32,
    /// Replace documents whose ids are there already, instead of stopping at them.
    #[arg(long)]
    pub upsert: bool,
    /// Leave out malformed, duplicate and empty documents, and list them.
    #[arg(long)]
    pub skip_bad: bool,
    /// How much memory sealing and merging in the background may take.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = memory)]
    pub memory: ByteCount,
    /// How many bytes merging in the background may write in a second [default: as many as it can].
    #[arg(long, value_name = "SIZE")]
    pub merge_rate: Option<ByteCount>,
}

/// When a batch counts as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DurabilityLevel {
    /// When it is on the disk.
    Always,
    /// When the operating system has it; it is on the disk within a second.
    Interval,
    /// When the operating system has it.
    Os,
}

/// Delete documents, all in one step.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ecphory delete wiki.ecp --id 17 --id 18\n  ecphory delete wiki.ecp --filter 'year < 1900'"
)]
pub struct Delete {
    /// The collection.
    pub collection: PathBuf,
    /// The id of a document; several may follow, and it may be repeated.
    #[arg(long = "id", value_name = "ID", num_args = 1.., required_unless_present = "filter", conflicts_with = "filter")]
    pub ids: Vec<String>,
    /// Delete the documents for which this holds.
    #[arg(long, value_name = "FILTER")]
    pub filter: Option<String>,
}

/// Read every byte of a collection and name all that is wrong.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  ecphory check wiki.ecp\n\nExits with 0 where it is sound, with 6 where it is not."
)]
pub struct Check {
    /// The collection.
    pub collection: PathBuf,
}

/// Merge a collection's segments, and give the space of deleted documents back.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ecphory compact wiki.ecp\n  ecphory compact wiki.ecp --purge")]
pub struct Compact {
    /// The collection.
    pub collection: PathBuf,
    /// Make sure that no file of the collection holds anything of deleted and replaced documents any more.
    #[arg(long)]
    pub purge: bool,
}

/// Copy a collection, while it may be written to; only what is new where there is an earlier backup.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  ecphory backup wiki.ecp /mnt/backup/wiki.ecp")]
pub struct Backup {
    /// The collection.
    pub collection: PathBuf,
    /// The backup: a new or empty directory, or an earlier backup of the same collection.
    pub backup: PathBuf,
}

/// Make a collection from a backup.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  ecphory restore /mnt/backup/wiki.ecp wiki.ecp")]
pub struct Restore {
    /// The backup.
    pub backup: PathBuf,
    /// The collection to make: a directory that does not exist yet.
    pub collection: PathBuf,
}

/// Add channels and fields to a collection, and bring it to the newest format.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ecphory migrate wiki.ecp --add-channel dense=minilm\n  ecphory migrate wiki.ecp --add-field year:integer\n\nA dense or sparse channel is filled with progress; what was interrupted goes on with `ecphory index wiki.ecp --resume`."
)]
pub struct Migrate {
    /// The collection.
    pub collection: PathBuf,
    /// A channel to add, as for `index`; may be repeated.
    #[arg(long = "add-channel", value_name = "CHANNEL")]
    pub channels: Vec<String>,
    /// A field to declare, as year:integer; may be repeated.
    #[arg(long = "add-field", value_name = "NAME:KIND")]
    pub fields: Vec<String>,
}
