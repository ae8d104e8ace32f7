//! A local archive as source.
