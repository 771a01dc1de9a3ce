//! What an API server would refuse, offline: OpenAPI, CEL and list-map rules of the CRDs.
