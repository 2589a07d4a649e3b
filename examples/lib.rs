//! puyu-examples
