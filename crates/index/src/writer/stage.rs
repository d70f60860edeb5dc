//! Staging documents straight into a segment on disk: the bulk build.

use std::sync::Arc;

use ecphory_core::{Document, Progress};
use rayon::prelude::*;

use super::batch::{check_document, check_ids};
use super::{State, Writer};
use crate::error::DuplicatePlace;
use crate::format::MAX_SEGMENT_DOCUMENTS;
use crate::segment::Segment;
use crate::segment::build::build_segment;
use crate::{Error, Result};

impl Writer {
    /// Stages documents as one new segment, which the next [`Writer::commit`] makes visible. Nothing is
    /// kept where anything is wrong. The bytes written do not depend on the number of threads. A tail is
    /// sealed first, so that documents keep the order in which they came.
    ///
    /// # Errors
    /// [`Error::DuplicateId`], [`Error::Document`] for one that cannot be stored or has no text,
    /// [`Error::TooMany`], [`Error::Interrupted`], [`Error::Io`], [`Error::WriterStopped`].
    pub fn stage(
        &self,
        docs: &[Document],
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
    ) -> Result<()> {
        let limit = u64::from(MAX_SEGMENT_DOCUMENTS);
        if docs.len() as u64 > limit {
            let got = docs.len() as u64;
            return Err(Error::TooMany { what: "documents in one batch", got, limit });
        }
        let mut state = self.running()?;
        // A log that holds only deletions is sealed too: replayed over the new segment, it would delete there what was put
        // again.
        while !state.view.tail.segments.is_empty() || state.log.has_batches() {
            drop(state);
            self.seal()?;
            state = self.running()?;
        }
        if docs.is_empty() {
            return Ok(());
        }
        self.stage_checked(&mut state, docs, pool, progress)
    }

    fn stage_checked(
        &self,
        state: &mut State,
        docs: &[Document],
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
    ) -> Result<()> {
        check_ids(docs)?;
        for (position, document) in docs.iter().enumerate() {
            if state.view.find(&document.id)?.is_some() {
                let place = DuplicatePlace::Collection { position };
                return Err(Error::DuplicateId { id: document.id.clone(), place });
            }
        }
        let settings = Arc::clone(&state.view.settings);
        let schema = &settings.schema;
        pool.install(|| docs.par_iter().try_for_each(|doc| check_document(doc, schema)))?;
        let built = build_segment(docs, &[], self.site(&settings), Some(pool), progress);
        let entry = match built {
            Err(error @ Error::Interrupted) => return Err(error),
            other => state.stop_on_error(other)?,
        };
        let opened = Segment::open(&**self.storage(), &settings, &entry, &|_| None);
        let segment = state.stop_on_error(opened)?;
        let end = state.view.disk.len();
        state.splice(end..end, vec![Arc::new(segment)]);
        Ok(())
    }
}
