//! What is known of everything else while one route is looked at.

use crate::aws::Functions;
use crate::gateways::Gateways;
use crate::kinds::World;
use crate::policies::PolicyIndex;
use crate::settings::Settings;

/// Everything that an outcome may depend on besides the route.
pub(crate) struct Context<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) world: &'a World,
    pub(crate) policies: &'a PolicyIndex,
    pub(crate) gateways: &'a Gateways,
    pub(crate) functions: &'a Functions,
}
