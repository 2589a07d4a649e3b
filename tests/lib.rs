//! puyu-tests
