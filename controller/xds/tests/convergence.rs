//! Whatever a proxy does, it ends up with what it subscribes to, is never sent the same thing twice, and never routes
//! to what it does not have.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod envoy;
mod proxy;

use proptest::prelude::*;
use proxy::{Act, Proxy};

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, max_shrink_iters: 100_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_proxy_that_does_anything_converges(acts in prop::collection::vec(any::<Act>(), 0..120)) {
        let mut proxy = Proxy::new();
        for act in acts {
            proxy.act(act);
        }
        proxy.settle();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, max_shrink_iters: 100_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_route_of_envoy_ever_leads_to_a_cluster_that_is_not_there(
        acts in prop::collection::vec(any::<envoy::Act>(), 0..150)
    ) {
        let mut envoy = envoy::Envoy::new();
        for act in acts {
            envoy.act(act);
        }
        envoy.settle();
    }
}
