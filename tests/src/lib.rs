//! End-to-end tests of the tool; what they share is here.
