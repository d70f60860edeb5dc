//! The arithmetic of transformer encoders.
