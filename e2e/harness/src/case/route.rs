//! Routes of a case: which requests a configuration of the filter is for.

use serde::Deserialize;
use serde_json::Value;

use super::Answer;
use super::written::present;

/// One route.
#[derive(Clone, Debug)]
pub struct Route {
    /// Unique within the case.
    pub name: String,
    /// Which requests take it.
    pub matches: RouteMatch,
    /// The filter's configuration; without one the filter is off on this route.
    pub config: Option<Value>,
    /// What Envoy answers by itself instead of asking the upstream (status and body).
    pub direct_response: Option<Answer>,
}

/// Which paths a route matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteMatch {
    /// Paths that begin so.
    Prefix(String),
    /// This path alone, whatever its query.
    Path(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteForm {
    prefix: Option<String>,
    path: Option<String>,
    #[serde(default, deserialize_with = "present")]
    config: Option<Value>,
    direct_response: Option<Answer>,
}

impl Route {
    /// The one route of a case with one configuration.
    pub(crate) fn everything(config: Value) -> Self {
        let matches = RouteMatch::Prefix("/".to_owned());
        Self { name: "route-1".to_owned(), matches, config: Some(config), direct_response: None }
    }

    /// Whether a request for `path`, with its query, takes this route.
    pub(crate) fn takes(&self, path: &str) -> bool {
        match &self.matches {
            RouteMatch::Prefix(prefix) => path.starts_with(prefix),
            RouteMatch::Path(exact) => path.split('?').next() == Some(exact),
        }
    }
}

impl RouteForm {
    pub(crate) fn route(self, at: usize) -> Result<Route, String> {
        let matches = match (self.prefix, self.path) {
            (Some(prefix), None) => RouteMatch::Prefix(prefix),
            (None, Some(path)) => RouteMatch::Path(path),
            _ => return Err(format!("routes[{at}]: write either `prefix:` or `path:`")),
        };
        if let Some(Answer { headers, trailers, .. }) = &self.direct_response
            && !(headers.0.is_empty() && trailers.0.is_empty())
        {
            return Err(format!("routes[{at}].direct_response: has a status and a body only"));
        }
        let name = format!("route-{}", at + 1);
        Ok(Route { name, matches, config: self.config, direct_response: self.direct_response })
    }
}
