//! What is found out once, with the model that training begins from: which queries are held out, what they search, and which
//! negatives each of the others gets.

use std::collections::BTreeMap;

use ecphory_core::Progress;

use crate::data::{Text, TrainingData};
use crate::error::{Error, Result};
use crate::miner::{
    Candidate, DuplicateText, Filter, Mining, Positives, RandomDocuments, Searcher, TeacherMargin,
    text_key,
};
use crate::random::{Purpose, Random};
use crate::recipe::{DENSE, RANDOM, Recipe};
use crate::run::RunError;
use crate::run::dev;
use crate::sampler::Judged;
use crate::source::Sources;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mined {
    /// The queries that are held out, in ascending order.
    pub(crate) held_out: Vec<u32>,
    /// What each of them found.
    pub(crate) pools: Vec<Vec<u32>>,
    /// For every query, what it is trained with; of those held out, no negatives.
    pub(crate) judged: Vec<Judged>,
    /// Pairs for which there were too few negatives.
    pub(crate) short: u64,
}

impl Mined {
    /// Holds queries out, and searches with the sources of the run.
    pub(crate) fn new(
        data: &TrainingData,
        recipe: &Recipe,
        held_out: Vec<u32>,
        sources: &Sources<'_>,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let positives = |query: u32| data.positives(query as usize).to_vec();
        let judged = |query| Judged { positives: positives(query), negatives: Vec::new() };
        let judged = (0..data.queries().len() as u32).map(judged).collect();
        let depth = dev::depth(!recipe.is_cross()?);
        let searcher = sources.searcher(recipe.pool_source()?)?;
        let rankings = searcher.search(&held_out, depth)?.into_iter();
        let documents = |ranking: Vec<Candidate>| ranking.iter().map(|one| one.document).collect();
        let pools = rankings.map(documents).collect();
        let mut found = Self { held_out, pools, judged, short: 0 };
        found.mine(data, recipe, sources, seed, progress)?;
        Ok(found)
    }

    /// Mines negatives for all pairs of the queries that are trained on.
    pub(crate) fn mine(
        &mut self,
        data: &TrainingData,
        recipe: &Recipe,
        sources: &Sources<'_>,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<()> {
        let negatives = &recipe.negatives;
        let keys = |texts: &[Text]| texts.iter().map(|text| text_key(&text.text)).collect();
        let copies = DuplicateText::new(keys(data.queries()), keys(data.documents()));
        let mut filters: Vec<&dyn Filter> = vec![&copies];
        let too_near;
        if negatives.ratio > 0.0 {
            too_near = TeacherMargin::within(sources.teacher(DENSE)?, negatives.ratio)?;
            filters.push(&too_near);
        }
        let random = RandomDocuments::new(data.documents().len() as u32, seed)?;
        let searcher: &dyn Searcher =
            if negatives.from == RANDOM { &random } else { sources.searcher(&negatives.from)? };
        let mining = Mining {
            searcher,
            filters: &filters,
            ranks: 0..negatives.depth,
            keep: negatives.keep,
            seed,
        };
        let trained = self.trained();
        let pairs = trained.iter().map(|&q| (q, self.judged[q as usize].positives.clone()));
        let (sets, report) = mining.run(&Positives::new(pairs)?, progress)?;
        for set in sets {
            let negatives = &mut self.judged[set.query as usize].negatives;
            negatives.extend(set.negatives.iter().map(|candidate| candidate.document));
        }
        for judged in &mut self.judged {
            judged.negatives.sort_unstable();
            judged.negatives.dedup();
        }
        self.short = report.short;
        Ok(())
    }

    /// Returns the queries that are trained on.
    pub(crate) fn trained(&self) -> Vec<u32> {
        let all = 0..self.judged.len() as u32;
        all.filter(|query| self.held_out.binary_search(query).is_err()).collect()
    }

    /// Returns what cannot be found out again without the model, as lists of numbers.
    pub(super) fn lists(&self) -> BTreeMap<String, Vec<u64>> {
        let wide = |numbers: &[u32]| numbers.iter().map(|&x| u64::from(x)).collect::<Vec<u64>>();
        let counts = self.judged.iter().map(|judged| judged.negatives.len() as u64).collect();
        let negatives = self.judged.iter().flat_map(|judged| wide(&judged.negatives)).collect();
        let lists = [
            ("held out", wide(&self.held_out)),
            ("pool of each", self.pools.iter().map(|pool| pool.len() as u64).collect()),
            ("pools", self.pools.iter().flat_map(|pool| wide(pool)).collect()),
            ("negatives of each", counts),
            ("negatives", negatives),
            ("short", vec![self.short]),
        ];
        lists.into_iter().map(|(name, list)| (name.to_owned(), list)).collect()
    }

    /// Takes the lists up again.
    pub(super) fn of(lists: &BTreeMap<String, Vec<u64>>, data: &TrainingData) -> Result<Self> {
        let lacks = |what: &str| Error::from(RunError::CheckpointLacks { what: what.to_owned() });
        let list = |name: &str| lists.get(name).ok_or_else(|| lacks(name));
        let numbers = |name: &str, count: usize| -> Result<Vec<u32>> {
            let narrow = |&x: &u64| u32::try_from(x).ok().filter(|&x| (x as usize) < count);
            let all: Option<Vec<u32>> = list(name)?.iter().map(narrow).collect();
            all.ok_or_else(|| lacks(name))
        };
        let (queries, documents) = (data.queries().len(), data.documents().len());
        let dealt = |of_each: &str, name: &str, items: usize| -> Result<Vec<Vec<u32>>> {
            let (counts, all) = (list(of_each)?, numbers(name, documents)?);
            let mut rest = &all[..];
            let mut dealt = Vec::with_capacity(items);
            for &count in counts {
                let (own, others) =
                    rest.split_at_checked(count as usize).ok_or_else(|| lacks(name))?;
                rest = others;
                dealt.push(own.to_vec());
            }
            if dealt.len() == items && rest.is_empty() { Ok(dealt) } else { Err(lacks(of_each)) }
        };
        let held_out = numbers("held out", queries)?;
        let negatives = dealt("negatives of each", "negatives", queries)?.into_iter().enumerate();
        let judged =
            |(query, negatives)| Judged { positives: data.positives(query).to_vec(), negatives };
        Ok(Self {
            pools: dealt("pool of each", "pools", held_out.len())?,
            held_out,
            judged: negatives.map(judged).collect(),
            short: list("short")?.first().copied().unwrap_or_default(),
        })
    }
}

/// Which queries are held out: a share of them, at least one where it is not 0, and never so many that none is left.
pub(super) fn held_out(count: usize, share: f32, seed: u64) -> Vec<u32> {
    let mut all: Vec<u32> = (0..count as u32).collect();
    let wanted = (share * count as f32).ceil() as usize;
    Random::new(seed, Purpose::HeldOut, [0, 0]).shuffle(&mut all);
    all.truncate(wanted.min(count.saturating_sub(1)));
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Judgment;

    #[test]
    fn some_are_held_out_and_some_are_left() {
        assert!(held_out(100, 0.0, 7).is_empty());
        assert_eq!(held_out(100, 0.1, 7).len(), 10);
        assert_eq!(held_out(100, 0.1, 7), held_out(100, 0.1, 7));
        assert_ne!(held_out(100, 0.1, 7), held_out(100, 0.1, 8));
        assert_eq!(held_out(3, 0.1, 7).len(), 1);
        assert!(held_out(1, 0.5, 7).is_empty());
    }

    #[test]
    fn lists_give_back_what_was_found_or_say_what_is_missing() {
        let text = |id: String| Text { text: format!("text of {id}"), id };
        let documents = (0..4).map(|i| text(format!("d{i}"))).collect();
        let queries = (0..2).map(|i| text(format!("q{i}"))).collect();
        let judged = [("q0", "d0"), ("q1", "d1")];
        let judged = judged.map(|(query, document)| Judgment { query, document, relevant: true });
        let data = TrainingData::new(documents, queries, judged).unwrap();
        let judged = vec![
            Judged { positives: vec![0], negatives: vec![2, 3] },
            Judged { positives: vec![1], negatives: Vec::new() },
        ];
        let found = Mined { held_out: vec![1], pools: vec![vec![3]], judged, short: 2 };
        assert_eq!(Mined::of(&found.lists(), &data).unwrap(), found);
        assert_eq!(found.trained(), [0]);
        for (name, _) in found.lists() {
            let mut lists = found.lists();
            lists.remove(&name);
            let error = Mined::of(&lists, &data).unwrap_err().to_string();
            assert!(error.contains(&name), "{error}");
        }
        let mut lists = found.lists();
        lists.insert("pools".into(), vec![4]);
        assert!(Mined::of(&lists, &data).is_err());
    }
}
