//! Gateway + GatewayParameters -> the Kubernetes objects of its proxy. Pure: no IO, no clock.
