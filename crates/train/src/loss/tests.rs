mod derivatives;
mod invariants;
mod samples;
mod specs;
mod traps;
