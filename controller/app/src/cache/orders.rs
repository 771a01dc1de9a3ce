//! What the command line says, as an order.

use anyhow::bail;
use serde_json::{Value, json};

use crate::cli::{CacheArgs, InspectArgs, PurgeArgs};

pub(super) fn purge(args: &PurgeArgs) -> anyhow::Result<Value> {
    if args.urls.is_empty() && args.prefixes.is_empty() && args.tags.is_empty() {
        bail!("nothing to purge: no URL, no --prefix, no --tag");
    }
    let mut order = json!({"purge": {
        "urls": args.urls, "prefixes": args.prefixes, "tags": args.tags, "soft": args.soft,
    }});
    restrict(&mut order, &args.cache)?;
    Ok(order)
}

pub(super) fn inspect(args: &InspectArgs) -> anyhow::Result<Value> {
    let headers = args.headers.iter().map(|line| match line.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => Ok([name.trim(), value.trim()]),
        _ => bail!("--header {line:?}: not of the form 'name: value'"),
    });
    let headers = headers.collect::<anyhow::Result<Vec<_>>>()?;
    let mut order = json!({"inspect": {"url": args.url, "method": args.method, "headers": headers}});
    restrict(&mut order, &args.cache)?;
    Ok(order)
}

/// As the translator names storages: that of a policy by the policy, one with a name by that within its namespace.
fn restrict(order: &mut Value, args: &CacheArgs) -> anyhow::Result<()> {
    let of = |flag: &str, name: &str, between: &str| match name.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(format!("{namespace}/{between}{name}"))
        }
        _ => bail!("{flag} {name:?}: not of the form NAMESPACE/NAME"),
    };
    let storage = match (&args.policy, &args.storage) {
        (Some(policy), _) => of("--policy", policy, "")?,
        (None, Some(storage)) => of("--storage", storage, "storage/")?,
        (None, None) => return Ok(()),
    };
    order["storage"] = storage.into();
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{CacheCommand, Cli, Command};

    fn order(line: &str) -> Result<Value, String> {
        let line = ["ferrule", "cache"].into_iter().chain(line.split(' '));
        let cli = Cli::try_parse_from(line).map_err(|error| error.to_string())?;
        let Command::Cache(command) = cli.command else { panic!("another command") };
        let order = match &command {
            CacheCommand::Purge(args) => purge(args),
            CacheCommand::Inspect(args) => inspect(args),
        };
        order.map_err(|error| error.to_string())
    }

    #[test]
    fn a_command_line_is_an_order() {
        let purge =
            order("purge http://a/b http://a/c --prefix http://a/d --tag e --tag f --soft --policy n/p");
        let expected = json!({"purge": {"urls": ["http://a/b", "http://a/c"], "prefixes": ["http://a/d"],
            "tags": ["e", "f"], "soft": true}, "storage": "n/p"});
        assert_eq!(purge.unwrap(), expected);
        let inspect = order("inspect http://a/b -H a:b:c --method HEAD --storage n/s").unwrap();
        let expected = json!({"inspect": {"url": "http://a/b", "method": "HEAD", "headers": [["a", "b:c"]]},
            "storage": "n/storage/s"});
        assert_eq!(inspect, expected);
    }

    #[test]
    fn a_command_line_that_makes_no_sense_is_refused() {
        for (line, why) in [
            ("purge", "nothing to purge"),
            ("purge --tag a --policy p", "--policy \"p\""),
            ("purge --tag a --storage a/b/c", "--storage"),
            ("purge --tag a --storage a/b --policy a/b", "cannot be used with"),
            ("inspect http://a/b -H nothing", "--header"),
        ] {
            let refused = order(line).unwrap_err();
            assert!(refused.contains(why), "{line}: {refused}");
        }
    }
}
