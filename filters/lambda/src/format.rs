//! Formats of events and of answers to them.

use crate::config::PayloadMode;

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// That of Envoy's built-in filter.
    Envoy,
    /// 1.0 of API Gateway.
    ApiGatewayV1,
    /// 2.0 of API Gateway.
    ApiGatewayV2,
    /// That of load balancers.
    Alb,
}

impl Format {
    /// None where bodies go through as they are.
    pub(crate) fn of(mode: PayloadMode) -> Option<Self> {
        match mode {
            PayloadMode::None => None,
            PayloadMode::Envoy => Some(Self::Envoy),
            PayloadMode::ApiGatewayV1 => Some(Self::ApiGatewayV1),
            PayloadMode::ApiGatewayV2 => Some(Self::ApiGatewayV2),
            PayloadMode::Alb => Some(Self::Alb),
        }
    }
}
