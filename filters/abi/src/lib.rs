//! Declarations of the Envoy 1.40 dynamic-module ABI that Ferrule uses.
