//! A filter that does what its configuration says, to test the hosts.
