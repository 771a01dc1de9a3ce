//! A Kubernetes cluster for tests, without docker.
