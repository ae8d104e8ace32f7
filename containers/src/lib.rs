//! The container engine, the build root and hermetic phases. The only async code.
