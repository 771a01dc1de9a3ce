//! Who a certificate says that a proxy is: a SPIFFE ID in a URI SAN, a Gateway each.

/// What the SPIFFE IDs of Gateways begin with.
const PREFIX: &str = "spiffe://ferrule.dev/gateway/";

/// Why a proxy is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The certificate is nobody's who could be served.
    #[error("the client certificate names no Gateway; it has {0:?}")]
    NoGateway(Vec<String>),
    /// The proxy asks for what is another Gateway's.
    #[error("node.cluster is {asked:?}, but the client certificate is of Gateway {gateway:?}")]
    OtherGateway {
        /// What the proxy says.
        asked: String,
        /// What its certificate says.
        gateway: String,
    },
}

/// The SPIFFE ID of the proxies of a Gateway.
#[must_use]
pub fn gateway_uri(namespace: &str, name: &str) -> String {
    format!("{PREFIX}{namespace}/{name}")
}

/// The Gateway, as `NAMESPACE/NAME`, whose resources a proxy gets: that of its certificate, which has the URI SANs
/// `uris`, and for which it has to ask by `node.cluster`.
///
/// # Errors
/// The certificate is no Gateway's, or not of the one that is asked for.
pub fn authorize(uris: &[String], cluster: &str) -> Result<String, Denied> {
    let [uri] = uris else { return Err(Denied::NoGateway(uris.to_vec())) };
    let gateway = uri.strip_prefix(PREFIX).filter(|rest| is_key(rest));
    let Some(gateway) = gateway else { return Err(Denied::NoGateway(uris.to_vec())) };
    if gateway == cluster {
        return Ok(gateway.to_owned());
    }
    Err(Denied::OtherGateway { asked: cluster.to_owned(), gateway: gateway.to_owned() })
}

fn is_key(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    parts.len() == 2 && parts.iter().all(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_gets_what_its_certificate_says_and_asks_for_nothing_else() {
        let uris = [gateway_uri("shop", "web")];
        assert_eq!(authorize(&uris, "shop/web").as_deref(), Ok("shop/web"));
        for other in ["shop/web2", "shop", "", "shop/web/", "SHOP/web"] {
            assert!(matches!(authorize(&uris, other), Err(Denied::OtherGateway { .. })), "{other}");
        }
    }

    #[test]
    fn a_certificate_that_is_not_of_one_gateway_gets_nothing() {
        for uris in [
            vec![],
            vec!["spiffe://ferrule.dev/gateway/shop".to_owned()],
            vec!["spiffe://ferrule.dev/gateway//web".to_owned()],
            vec!["spiffe://ferrule.dev/gateway/a/b/c".to_owned()],
            vec!["spiffe://other.dev/gateway/shop/web".to_owned()],
            vec![gateway_uri("shop", "web"), gateway_uri("shop", "other")],
        ] {
            assert!(matches!(authorize(&uris, "shop/web"), Err(Denied::NoGateway(_))), "{uris:?}");
        }
    }
}
