//! Gateway API and policy objects in, xDS resources and status out.
