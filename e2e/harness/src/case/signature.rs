//! Whether a request is signed as AWS would have it, by AWS' own signer: a clock that cannot be set leaves no fixed text to compare.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_types::date_time::{DateTime, Format};
use serde::Deserialize;

use crate::seen::SeenRequest;

/// Clocks may differ as much as AWS lets them.
const SKEW: Duration = Duration::from_secs(15 * 60);

/// Who must have signed, and what of the header section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureExpect {
    /// The access key's id.
    #[serde(rename = "accessKey")]
    pub access_key: String,
    /// The secret key.
    #[serde(rename = "secretKey")]
    pub secret_key: String,
    /// The region that is signed for.
    pub region: String,
    /// The service that is signed for.
    pub service: String,
    /// Names of all signed fields, in order.
    pub headers: Vec<String>,
}

impl SignatureExpect {
    /// # Errors
    /// What is wrong with the signature, or that there is none.
    pub(crate) fn verify(&self, seen: &SeenRequest) -> Result<(), String> {
        let line = |name: &str| match seen.headers.values(name).as_slice() {
            [one] => Ok(String::from_utf8_lossy(one).into_owned()),
            lines => Err(format!("{} lines of {name}", lines.len())),
        };
        let signed = format!("SignedHeaders={},", self.headers.join(";"));
        let authorization = line("authorization")?;
        if !authorization.contains(&signed) {
            return Err(format!("{authorization}\nlacks {signed}"));
        }
        let now = time(&line("x-amz-date")?)?;
        let token = line("x-amz-security-token").ok();
        let wanted = self.sign(seen, now, token)?;
        if wanted == authorization { Ok(()) } else { Err(format!("{authorization}\ninstead of {wanted}")) }
    }

    fn sign(&self, seen: &SeenRequest, now: SystemTime, token: Option<String>) -> Result<String, String> {
        let who = Credentials::new(&self.access_key, &self.secret_key, token, None, "case").into();
        let hash = seen.headers.text("x-amz-content-sha256");
        let params = SigningParams::builder()
            .identity(&who)
            .region(&self.region)
            .name(&self.service)
            .time(now)
            .settings(self.settings(hash.is_some()))
            .build()
            .map_err(|error| error.to_string())?
            .into();
        let body = match hash.as_deref() {
            Some("UNSIGNED-PAYLOAD") => SignableBody::UnsignedPayload,
            _ => SignableBody::Bytes(&seen.body),
        };
        let signed = |(name, _): &&(String, Vec<u8>)| self.headers.contains(name);
        let lines = seen.headers.0.iter().filter(signed);
        let texts: Vec<(&str, &str)> = lines
            .filter_map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value).ok()?)))
            .collect();
        let url = format!("https://{}{}", seen.host, seen.path);
        let request = SignableRequest::new(&seen.method, url, texts.into_iter(), body);
        let request = request.map_err(|error| error.to_string())?;
        let (instructions, _) = sign(request, &params).map_err(|error| error.to_string())?.into_parts();
        let mut headers = instructions.headers();
        let found = headers.find(|(name, _)| *name == "authorization");
        found.map(|(_, value)| value.to_owned()).ok_or_else(|| "the signer makes no signature".to_owned())
    }

    fn settings(&self, sends_hash: bool) -> SigningSettings {
        let mut settings = SigningSettings::default();
        settings.excluded_headers = None;
        if sends_hash {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        if self.service.starts_with("s3") {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        settings
    }
}

/// The time of an `x-amz-date`, which must be now; or the epoch, when nothing happens but in process.
fn time(date: &str) -> Result<SystemTime, String> {
    let part = |from, to| date.get(from..to).unwrap_or_default();
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(9, 11),
        part(11, 13),
        part(13, 15)
    );
    let time = DateTime::from_str(&text, Format::DateTime).map_err(|_| format!("x-amz-date is {date}"))?;
    let seconds = u64::try_from(time.secs()).map_err(|error| error.to_string())?;
    let (time, now) = (SystemTime::UNIX_EPOCH + Duration::from_secs(seconds), SystemTime::now());
    let is_now = now.duration_since(time).or_else(|_| time.duration_since(now)).is_ok_and(|gap| gap < SKEW);
    if is_now || seconds == 0 { Ok(time) } else { Err(format!("x-amz-date is {date}, which is not now")) }
}
