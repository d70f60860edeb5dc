//! From the numbers of documents to their places in a snapshot, and back.

use ecphory_core::DocAddress;
use ecphory_index::Snapshot;
use ecphory_train::Ids;

use crate::Result;

/// What stands for documents that have no number.
const NONE: u32 = u32::MAX;

/// Both ways; 12 bytes a document.
pub(super) struct Numbers {
    addresses: Vec<Option<DocAddress>>,
    /// The numbers of each segment's documents.
    segments: Vec<Vec<u32>>,
}

impl Numbers {
    /// Looks up each document; one that is not in the snapshot has no address.
    pub(super) fn new(snapshot: &Snapshot, documents: &Ids) -> Result<Self> {
        let mut segments = vec![Vec::new(); snapshot.segments()];
        let mut addresses = Vec::with_capacity(documents.count());
        for number in 0..documents.count() as u32 {
            let address = snapshot.find(documents.id(number)?)?;
            if let Some(DocAddress { segment, doc }) = address {
                let segment: &mut Vec<u32> = &mut segments[segment as usize];
                if segment.len() <= doc.index() {
                    segment.resize(doc.index() + 1, NONE);
                }
                segment[doc.index()] = number;
            }
            addresses.push(address);
        }
        Ok(Self { addresses, segments })
    }

    /// Returns where a document is.
    pub(super) fn address(&self, number: u32) -> Option<DocAddress> {
        *self.addresses.get(number as usize)?
    }

    /// Returns the number of the document at an address.
    pub(super) fn number(&self, at: DocAddress) -> Option<u32> {
        let number = *self.segments.get(at.segment as usize)?.get(at.doc.index())?;
        (number != NONE).then_some(number)
    }
}
