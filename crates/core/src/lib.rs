//! What every crate of Ecphory shares: ids, documents, top-k, bit sets, storage, checksums, error kinds, progress.
//!
//! Nothing here knows text, vectors or files of a collection; those live further up. The crate reads
//! no environment, prints nothing and starts no threads.

pub mod caret;
pub mod checksum;
pub mod docset;
pub mod document;
pub mod error;
pub mod ids;
pub mod nearest;
pub mod progress;
pub mod storage;
pub mod topk;

pub use docset::{DocSet, ones};
pub use document::{Document, Value};
pub use error::ErrorKind;
pub use ids::{DocAddress, DocNo};
pub use progress::{Progress, Silent, Unshown};
pub use topk::{Scored, TopK};
