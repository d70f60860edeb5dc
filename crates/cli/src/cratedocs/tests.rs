//! Checks the judged queries against the collection as it is on this machine.
