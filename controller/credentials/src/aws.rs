//! AWS, asked by its own SDK.

use std::error::Error;
use std::time::Duration;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_http_client::Builder as HttpBuilder;
use aws_smithy_http_client::tls::{Provider as TlsProvider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::region::Region;
use ferrule_translate::{Identity, SecretText};
use serde_json::json;

use crate::course::{Fetched, rfc3339};
use crate::keeper::Source;

/// Names our sessions in AWS' audit logs.
const SESSION: &str = "ferrule";
/// Region whose STS is asked by web identities where the environment names none.
const DEFAULT_REGION: &str = "us-east-1";
/// How long the instance's metadata may take: where there is none, nothing answers.
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// None of the sources has any.
    #[error("neither environment, profile, web identity, container nor instance has credentials")]
    Nobody,
    /// A source that should have them does not give them.
    #[error("{0}: {1}")]
    Refused(&'static str, String),
    /// The identity is none that is fetched.
    #[error("{0} is not fetched")]
    Foreign(String),
}

/// The AWS that the controller's surroundings lead to.
#[derive(Debug, Clone)]
pub struct Aws {
    http: SharedHttpClient,
}

impl Default for Aws {
    fn default() -> Self {
        let tls = TlsProvider::Rustls(CryptoMode::Ring);
        Self { http: HttpBuilder::new().tls_provider(tls).build_https() }
    }
}

impl Source for Aws {
    async fn fetch(&self, identity: &Identity) -> Result<Fetched, String> {
        let fetched = match identity {
            Identity::Own => self.own().await,
            Identity::Role { arn, region } => self.role(arn, region).await,
            Identity::Secret(_) => Err(SourceError::Foreign(identity.to_string())),
        };
        fetched.map(|(source, credentials)| told(source, &credentials)).map_err(|error| error.to_string())
    }
}

impl Aws {
    /// The first source that has credentials: environment, profile, web identity (IRSA), container (ECS, Pod Identity),
    /// instance (IMDSv2). Files and tokens are read anew each time.
    async fn own(&self) -> Result<(String, Credentials), SourceError> {
        let region = EnvironmentVariableRegionProvider::new().region().await;
        let region = region.unwrap_or_else(|| Region::from_static(DEFAULT_REGION));
        let config =
            ProviderConfig::without_region().with_region(Some(region)).with_http_client(self.http.clone());
        let metadata = imds::Client::builder()
            .configure(&config)
            .connect_timeout(METADATA_TIMEOUT)
            .read_timeout(METADATA_TIMEOUT)
            .max_attempts(2)
            .build();
        let sources: [(&'static str, SharedCredentialsProvider); 5] = [
            ("environment", shared(EnvironmentVariableCredentialsProvider::new())),
            ("profile", shared(ProfileFileCredentialsProvider::builder().configure(&config).build())),
            (
                "web identity",
                shared(WebIdentityTokenCredentialsProvider::builder().configure(&config).build()),
            ),
            ("container", shared(EcsCredentialsProvider::builder().configure(&config).build())),
            (
                "instance metadata",
                shared(ImdsCredentialsProvider::builder().configure(&config).imds_client(metadata).build()),
            ),
        ];
        for (name, provider) in sources {
            match provider.provide_credentials().await {
                Ok(credentials) => return Ok((name.to_owned(), credentials)),
                // It is not meant to be used here.
                Err(CredentialsError::CredentialsNotLoaded(_)) => {}
                Err(error) => return Err(SourceError::Refused(name, plainly(&error))),
            }
        }
        Err(SourceError::Nobody)
    }

    /// The role, taken on by whoever the controller is, at the STS of the region.
    async fn role(&self, arn: &str, region: &str) -> Result<(String, Credentials), SourceError> {
        let (by, own) = self.own().await?;
        let region = Region::new(region.to_owned());
        let config: SdkConfig = aws_config::defaults(BehaviorVersion::latest())
            .region(region.clone())
            .http_client(self.http.clone())
            .credentials_provider(own.clone())
            .load()
            .await;
        let role = AssumeRoleProvider::builder(arn).session_name(SESSION).region(region).configure(&config);
        let credentials = role.build_from_provider(own).await.provide_credentials().await;
        let source = format!("AssumeRole of {arn} by {by}");
        credentials
            .map(|credentials| (source, credentials))
            .map_err(|error| SourceError::Refused("AssumeRole", plainly(&error)))
    }
}

fn shared(provider: impl ProvideCredentials + 'static) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(provider)
}

/// As the filters read them.
fn told(source: String, credentials: &Credentials) -> Fetched {
    let expires = credentials.expiry();
    let text = json!({
        "accessKey": credentials.access_key_id(),
        "secretKey": credentials.secret_access_key(),
        "sessionToken": credentials.session_token(),
        "expiration": expires.and_then(rfc3339),
    });
    Fetched { text: SecretText::new(text.to_string().into_bytes()), expires, source }
}

/// An error and its causes as they read; what `Debug` would show of a response is nobody's business.
fn plainly(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    let mut told: Vec<String> = causes.map(ToString::to_string).collect();
    told.dedup();
    told.join(": ")
}
