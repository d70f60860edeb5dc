//! Vectors of queries and of documents, compared.

use std::path::Path;

use ecphory_core::Progress;
use ecphory_kernels::Level;
use ecphory_model::{Role, TermHead};

use super::{Ranker, Scored, Slopes};
use crate::body::{Body, Sides};
use crate::error::{Error, Result};
use crate::head::Parameter;
use crate::matching::{DirectoryFacts, Extra, Matched, Matching, Represented};
use crate::optimiser::{Slot, Tensors, Update};
use crate::regulariser::{PenaltyKind, PenaltySpec};
use crate::run::batch::Batch;
use crate::score::{Layout, put_columns};

/// Texts that are encoded at once where nothing is learned from them.
const TEXTS: usize = 16;

/// A body and a matching function.
pub(crate) struct DualEncoder<'a> {
    level: Level,
    pub(crate) body: Box<dyn Body + 'a>,
    pub(crate) matching: Matching,
    facts: DirectoryFacts,
    kept: Option<Kept>,
}

/// What the way back needs of a batch.
struct Kept {
    sides: Sides,
    matched: Matched,
    extra: Extra,
}

impl<'a> DualEncoder<'a> {
    pub(crate) fn new(body: Box<dyn Body + 'a>, matching: Matching, facts: DirectoryFacts) -> Self {
        Self { level: Level::detect(), body, matching, facts, kept: None }
    }

    /// Returns whether a directory can hold what is learned.
    pub(crate) fn has_layout(&self) -> bool {
        self.matching.modules(self.facts).is_some() || self.term_head().is_some()
    }

    /// What a directory has to hold where documents are weights of terms.
    fn term_head(&self) -> Option<TermHead<'_>> {
        self.body.vocabulary().and_then(|vocabulary| self.matching.term_head(vocabulary))
    }
}

impl Ranker for DualEncoder<'_> {
    fn forward(&mut self, batch: &Batch) -> Result<Scored> {
        let sides = self.body.forward(&batch.queries, &batch.documents)?;
        let Sides { queries, documents } = &sides;
        let matched = self.matching.forward(self.level, queries, documents, batch.layout)?;
        let scored = Scored {
            scores: matched.scores.clone(),
            part: matched.parts.first().cloned().unwrap_or_default(),
        };
        self.kept = Some(Kept { sides, matched, extra: Extra::default() });
        Ok(scored)
    }

    fn penalise(&mut self, penalty: &PenaltySpec, step: u64) -> Result<f64> {
        let Kept { matched, extra, .. } = kept(&mut self.kept)?;
        match penalty.kind {
            PenaltyKind::Flops { .. } => {
                let documents = matched.documents();
                let found = penalty.evaluate(&documents.values, documents.columns, step)?;
                extra.documents = found.gradient;
                Ok(found.value)
            }
            PenaltyKind::Gates => {
                let gates = matched.gates().ok_or(Error::Nothing { what: "gates" })?;
                let found = penalty.evaluate(&gates.values, 1, step)?;
                gates.slopes = found.gradient;
                Ok(found.value)
            }
        }
    }

    fn backward(&mut self, slopes: Slopes) -> Result<()> {
        let Kept { sides, matched, extra } = kept(&mut self.kept)?;
        if !slopes.part.is_empty() {
            extra.parts = vec![slopes.part];
        }
        self.matching.parameters().into_iter().for_each(Parameter::clear);
        let sides = (&sides.queries, &sides.documents);
        let by_states =
            self.matching.backward(self.level, sides, matched, &slopes.scores, extra)?;
        self.kept = None;
        self.body.backward(by_states)
    }

    fn slots(&mut self, decay: f32) -> Vec<Slot> {
        let mut slots = self.body.slots(decay);
        slots.extend(self.matching.parameters().iter().map(|parameter| parameter.slot(decay)));
        slots
    }

    fn updates(&mut self) -> Vec<Update<'_>> {
        let mut updates = self.body.updates();
        updates.extend(self.matching.parameters().into_iter().map(Parameter::update));
        updates
    }

    fn values(&mut self) -> Tensors {
        let mut values = self.body.values();
        let learned = self.matching.parameters().into_iter();
        values.extend(learned.map(|one| (one.name.clone(), one.values.clone())));
        values
    }

    fn set(&mut self, values: &Tensors) -> Result<()> {
        self.body.set(values)?;
        self.matching.parameters().into_iter().try_for_each(|parameter| parameter.set(values))
    }

    fn scores(
        &self,
        queries: &[u32],
        documents: &[u32],
        progress: &dyn Progress,
    ) -> Result<Vec<f32>> {
        let width = documents.len();
        let mut scores = vec![0.0; queries.len() * width];
        let mut of_queries = Vec::new();
        for queries in queries.chunks(TEXTS) {
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            let states = self.body.read(Role::Query, queries)?;
            of_queries.push(self.matching.queries(self.level, &states)?);
            progress.advance(queries.len() as u64);
        }
        // Documents that weigh terms weigh those of queries only, which are few.
        let asked = asked(&of_queries);
        let narrowed = (!asked.is_empty()).then(|| self.matching.narrowed(&asked)).flatten();
        if narrowed.is_some() {
            for queries in &mut of_queries {
                *queries = queries.narrowed(&asked);
            }
        }
        let matching = narrowed.as_ref().unwrap_or(&self.matching);
        for (chunk, documents) in documents.chunks(TEXTS).enumerate() {
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            let states = self.body.read(Role::Document, documents)?;
            let made = matching.documents(self.level, &states)?;
            for (rows, queries) in of_queries.iter().enumerate() {
                let found = matching.compare(self.level, queries, &made, Layout::Shared)?;
                let columns = (chunk * TEXTS, documents.len());
                put_columns(&found, columns, &mut scores[rows * TEXTS * width..], width);
            }
            progress.advance(documents.len() as u64);
        }
        Ok(scores)
    }

    fn units(&self, queries: usize, documents: usize) -> u64 {
        (queries + documents) as u64
    }

    fn dual(&self) -> Option<&DualEncoder<'_>> {
        Some(self)
    }

    fn save(&mut self, directory: &Path) -> Result<()> {
        if let Some(head) = self.term_head() {
            return self.body.save_with_terms(directory, &head);
        }
        let modules = self.matching.modules(self.facts);
        let modules = modules.ok_or(Error::Nothing { what: "layouts for these heads" })?;
        self.body.save(directory)?;
        Ok(modules.write(directory)?)
    }
}

/// The columns of the first branch in which some query has a value.
fn asked(queries: &[Represented]) -> Vec<u32> {
    let rows = || queries.iter().map(|made| &made.branches[0]);
    let columns = rows().next().map_or(0, |made| made.columns);
    let mut asked = vec![false; columns];
    for row in rows().flat_map(|made| made.values.chunks_exact(columns)) {
        asked.iter_mut().zip(row).for_each(|(asked, value)| *asked |= *value != 0.0);
    }
    (0..).zip(asked).filter(|(_, asked)| *asked).map(|(column, _)| column).collect()
}

fn kept(kept: &mut Option<Kept>) -> Result<&mut Kept> {
    kept.as_mut().ok_or(Error::Nothing { what: "batches" })
}
