//! Files of a repository of the Hugging Face hub, over HTTP.
//!
//! `HUB/REPOSITORY/resolve/REVISION/FILE` answers with the file, possibly after redirects.

use std::path::Path;
use std::time::Duration;

use ecphory_core::Progress;

use super::catalogue::ModelFile;
use super::copy;
use crate::error::FetchError;

/// How long a name may take to resolve, a connection to be made and an answer to begin. Short, because a
/// machine without a network should fall over to the next source quickly.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long the server may fall silent in the middle of a file.
const SILENCE: Duration = Duration::from_mins(1);

/// Fetches all files of a model.
pub(super) fn fetch(
    hub: &str,
    (repository, revision): (&str, &str),
    files: &[ModelFile],
    folder: &Path,
    progress: &dyn Progress,
) -> Result<(), FetchError> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_resolve(Some(PATIENCE))
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(SILENCE))
        .user_agent(concat!("ecphory/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    for file in files {
        if progress.cancelled() {
            return Err(FetchError::Interrupted);
        }
        let url = format!("{hub}/{repository}/resolve/{revision}/{}", file.name);
        let response = agent.get(&url).call();
        let mut response =
            response.map_err(|source| FetchError::Http { url, source: Box::new(source) })?;
        progress.begin(&format!("download {}", file.name), file.bytes);
        let copied = copy::checked(file, &mut response.body_mut().as_reader(), folder, progress);
        progress.end();
        copied?;
    }
    Ok(())
}
