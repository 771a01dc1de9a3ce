//! Whatever a proxy does, it ends up with what it subscribes to, and is never sent the same thing twice.

mod proxy;

use proptest::prelude::*;
use proxy::{Act, Proxy};

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, max_shrink_iters: 100_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_proxy_that_does_anything_converges(acts in prop::collection::vec(any::<Act>(), 0..120)) {
        let mut proxy = Proxy::new();
        for act in acts {
            proxy.act(act);
        }
        proxy.settle();
    }
}
