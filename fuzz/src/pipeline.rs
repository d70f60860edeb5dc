//! Pipelines as expressions, as TOML and as JSON: what is wrong has a place, what is right comes back as
//! itself from each of the three.

use ecphory::pipeline::{Pipeline, PipelineError};

/// A pipeline in any of its spellings.
pub fn pipeline(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse() {
        Ok(pipeline) => assert_comes_back(&pipeline),
        Err(PipelineError { offset, .. }) => {
            let offset = offset.expect("an expression has places");
            assert!(text.is_char_boundary(offset), "byte {offset} of {text:?}");
        }
    }
    for document in [Pipeline::from_toml(text), Pipeline::from_json(text)] {
        match document {
            Ok(pipeline) => assert_comes_back(&pipeline),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    if let Err(error) = text.parse::<Pipeline>() {
        assert!(!error.to_string().is_empty());
    }
}

fn assert_comes_back(pipeline: &Pipeline) {
    let printed = pipeline.to_string();
    assert_eq!(printed.parse().as_ref(), Ok(pipeline), "{printed}");
    assert_eq!(Pipeline::from_toml(&pipeline.to_toml()).as_ref(), Ok(pipeline), "{printed}");
    assert_eq!(Pipeline::from_json(&pipeline.to_json()).as_ref(), Ok(pipeline), "{printed}");
}
