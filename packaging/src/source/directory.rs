//! A local folder as source.
