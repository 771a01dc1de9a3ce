//! Certificates that the controller issues for xDS: its own authority, server and proxies.
