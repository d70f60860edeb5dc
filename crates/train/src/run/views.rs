//! Training from views of documents, without labels: a table of word pieces that begins with a transformer's.

use std::path::Path;

use ecphory_core::Progress;
use ecphory_model::{Encoder, EncoderOptions, WordPieces};

use super::learner::{Facts, Judgement, Learner, Snapshot};
use super::session::{Beginning, Session, Timetable};
use super::{Job, RunError, Trained};
use crate::body::{Body, PieceTexts};
use crate::data::Text;
use crate::error::{Error, Result};
use crate::matching::DirectoryFacts;
use crate::optimiser::{ParameterProblem, Tensors};
use crate::pretraining::{ViewCourse, ViewParts};
use crate::recipe::ViewRecipe;

/// Of how many documents unseen views are told apart at an evaluation.
pub const VIEWS_JUDGED: usize = 256;

/// Trains a table of word pieces from the documents of the data alone; queries and labels are not read. `cache` and `sources` of the job are
/// of no use here. The output is a static encoder.
///
/// # Errors
/// `Conflict` where the output exists, or work of another run lies there, or of this one without `resume`; `Usage` for a
/// collection of less than eight documents, or a queue that is not of whole batches; `Interrupted` after saving a checkpoint; what reading and writing say. Where
/// the loss or the gradient stops being a number, the error names the step and the documents.
pub fn train_from_views(job: &Job<'_, ViewRecipe>, progress: &dyn Progress) -> Result<Trained> {
    job.begins()?;
    job.pool.install(|| run(job, progress))
}

fn run(job: &Job<'_, ViewRecipe>, progress: &dyn Progress) -> Result<Trained> {
    let encoder = Encoder::open(job.init, &EncoderOptions::default())?;
    let origin = job.origin(encoder.fingerprint().to_owned());
    let left = job.left(&origin)?;
    let pieces = WordPieces::open(job.init)?;
    pieces.fit_a_static_encoder()?;
    let documents = (job.data.documents(), job.recipe.encoding.document_tokens);
    let texts = PieceTexts::read((&[], 0), documents, &pieces, progress)?;
    let plan = job.recipe.pretraining()?;
    let learning = job.recipe.learning();
    let parts = ViewParts { texts: &texts, init: job.init, plan: &plan, learning, seed: job.seed };
    let views = Views { course: ViewCourse::new(parts)?, documents: job.data.documents() };
    let beginning = Beginning {
        out: job.out,
        origin,
        timetable: timetable(job.recipe)?,
        facts: Facts { documents: job.data.documents().len(), ..Facts::default() },
        learner: Box::new(views),
    };
    let mut session = Session::new(beginning, left)?;
    session.run(progress)?;
    session.finish()
}

/// Evaluations stand at equal distances.
fn timetable(recipe: &ViewRecipe) -> Result<Timetable> {
    let steps = recipe.schedule.steps;
    let interval = steps.div_ceil(recipe.schedule.evaluations);
    Ok(Timetable {
        stops: (interval..steps).step_by(interval as usize).chain([steps]).collect(),
        learning_rate: recipe.optimiser.learning_rate,
        schedule: recipe.optimiser.schedule.parse()?,
        patience: 0,
    })
}

/// A course over views, with the documents that they are of.
struct Views<'a> {
    course: ViewCourse<'a>,
    documents: &'a [Text],
}

impl Learner for Views<'_> {
    fn step(&mut self, step: u64, rate: f32) -> Result<Option<f64>> {
        let seen = self.course.step(step, rate)?;
        match seen.map(|seen| seen.loss) {
            Some(loss) if !loss.is_finite() => {
                Err(Error::from(RunError::NotANumber { what: "loss" }))
            }
            loss => Ok(loss),
        }
    }

    fn placed(&self, error: Error, step: u64, checkpoint: &Path) -> Error {
        let what = match &error {
            Error::Run(RunError::NotANumber { what }) => *what,
            Error::Parameter { problem: ParameterProblem::NotFinite { .. }, .. } => "gradient",
            // A key that the twin made.
            Error::NotFinite { .. } => "key",
            _ => return error,
        };
        let ids = self.course.documents.iter().map(|&d| self.documents[d as usize].id.clone());
        let (texts, checkpoint) = (ids.collect(), checkpoint.to_owned());
        Error::from(RunError::Diverged { what, step, of: "documents", texts, checkpoint })
    }

    fn judge(&mut self, _progress: &dyn Progress) -> Result<Judgement> {
        let told_apart = Some(self.course.told_apart(VIEWS_JUDGED)?);
        Ok(Judgement { dev: None, told_apart })
    }

    fn snapshot(&mut self) -> Snapshot {
        let (others, lists) = self.course.keys();
        let (parameters, optimiser) = (self.course.bag.values(), self.course.optimiser());
        Snapshot { parameters, optimiser, others, lists }
    }

    fn restore(&mut self, snapshot: Snapshot) -> Result<()> {
        let Snapshot { parameters, optimiser, others, lists } = snapshot;
        self.course.restore((&parameters, optimiser), (others, lists))
    }

    fn save(&mut self, best: Option<&Tensors>, directory: &Path) -> Result<()> {
        if let Some(best) = best {
            self.course.bag.set(best)?;
        }
        let modules = self.course.matching.modules(DirectoryFacts::default());
        let modules = modules.ok_or(Error::Nothing { what: "layouts for these heads" })?;
        self.course.bag.save(directory)?;
        Ok(modules.write(directory)?)
    }
}

#[cfg(test)]
mod tests;
