//! Puyu.
