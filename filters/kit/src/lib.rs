//! What an Envoy filter is made of: Filter, Host, Flow, Driver, MemoryHost.
