//! A delta xDS server: snapshots, subscriptions, transport.
