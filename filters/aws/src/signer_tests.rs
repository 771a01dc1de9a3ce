#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::{canonical_path, canonical_query};

const ACCESS_KEY: &str = "AKIDEXAMPLE";
const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

type Lines<'a> = &'a [(&'a str, &'a str)];

fn credentials(token: Option<&str>) -> Arc<Credentials> {
    Arc::new(Credentials::new(ACCESS_KEY, SECRET_KEY, token).unwrap())
}

/// 2015-08-30T12:36:00Z, and so many seconds.
fn after(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_440_938_160 + seconds)
}

fn authorization(signer: &Signer, who: &Arc<Credentials>, request: &Request<'_>, now: SystemTime) -> String {
    let signature = signer.sign(who, request, now);
    let (_, value) = signature.fields().find(|(name, _)| *name == "authorization").unwrap();
    String::from_utf8(value.to_vec()).unwrap()
}

#[test]
fn aws_published_vectors_are_met() {
    let signer = Signer::new("us-east-1", "service");
    let vectors: [(&str, &str, Lines<'_>, &str); 15] = [
        ("GET", "/", &[], "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("GET", "/example/..", &[], "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", &[], "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ("GET", "/ሴ", &[], "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
        ("GET", "/example space/", &[], "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
        ("GET", "//example//", &[], "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
        (
            "GET",
            "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            &[],
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
        ),
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            &[],
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        ("GET", "/?Param1=value1", &[], "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
        (
            "GET",
            "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
            &[],
            "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
        ),
        (
            "GET",
            "/",
            &[("my-header1", "value2"), ("my-header1", "value2"), ("my-header1", "value1")],
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
        ),
        (
            "GET",
            "/",
            &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")],
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            "GET",
            "/",
            &[("my-header1", "value1 value2 value3")],
            "cfd34249e4b1c8d6b91ef74165d41a32e5fab3306300901bb65a51a73575eefd",
        ),
        (
            "GET",
            "/",
            &[("token", "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267")],
            "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
        ),
        (
            "POST",
            "/",
            &[
                ("content-type", "application/x-www-form-urlencoded"),
                ("content-length", "13"),
                ("body", "Param1=value1"),
            ],
            "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
        ),
    ];
    for (method, target, given, wanted) in vectors {
        let of = |name| given.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let host = ("host", &b"example.amazonaws.com"[..]);
        let lines = given.iter().filter(|(name, _)| !["token", "body"].contains(name));
        let fields: Vec<_> = lines.map(|(name, value)| (*name, value.as_bytes())).chain([host]).collect();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (path, query) = (canonical_path(path.as_bytes()), canonical_query(query.as_bytes()));
        let payload = Payload::Hash(Sha256Hex::of([of("body").unwrap_or("").as_bytes()]));
        let request = Request { method, path: &path, query: &query, fields: &fields, payload };
        let sending = Signer::new("us-east-1", "service").sending_hash();
        let signer = if of("body").is_some() { &sending } else { &signer };
        let signed = authorization(signer, &credentials(of("token")), &request, after(0));
        assert!(signed.ends_with(&format!("Signature={wanted}")), "{method} {target} {given:?}: {signed}");
        let scope = "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=";
        assert!(signed.contains(scope), "{signed}");
    }
}

/// "Signature Calculations for the Authorization Header", Amazon S3 API Reference.
#[test]
fn the_published_example_of_s3_is_met() {
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let who = Arc::new(Credentials::new("AKIAIOSFODNN7EXAMPLE", secret, None).unwrap());
    let signer = Signer::new("us-east-1", "s3").sending_hash();
    let fields = [("host", &b"examplebucket.s3.amazonaws.com"[..]), ("range", b"bytes=0-9")];
    let payload = Payload::Hash(Sha256Hex::of([]));
    let request = Request { method: "GET", path: "/test.txt", query: "", fields: &fields, payload };
    let now = UNIX_EPOCH + Duration::from_secs(1_369_353_600);
    assert_eq!(
        authorization(&signer, &who, &request, now),
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
         SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
         Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    );
}

#[test]
fn a_key_is_derived_once_for_a_day_and_its_credentials() {
    let signer = Signer::new("us-east-1", "service");
    let (one, other) = (credentials(None), credentials(Some("token")));
    let key = |who: &Arc<Credentials>, now| signer.key(who, Civil::of(now), now);
    let first = key(&one, after(0));
    assert!(Arc::ptr_eq(&first, &key(&one, after(3600))));
    assert!(!Arc::ptr_eq(&first, &key(&one, after(86_400))));
    let rotated = key(&other, after(0));
    assert!(!Arc::ptr_eq(&first, &rotated) && Arc::ptr_eq(&rotated.of, &other));
    assert!(!format!("{signer:?}").contains(SECRET_KEY));
}

#[cfg(not(target_arch = "wasm32"))]
mod oracle {
    use aws_sigv4::http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    };
    use aws_sigv4::sign::v4::SigningParams;
    use proptest::prelude::*;

    use super::*;

    /// What the public signer makes of it.
    fn theirs(
        target: &str,
        fields: &[(String, String)],
        body: Option<&[u8]>,
        s3: bool,
        token: Option<&str>,
    ) -> String {
        let token = token.map(ToOwned::to_owned);
        let who = aws_credential_types::Credentials::new(ACCESS_KEY, SECRET_KEY, token, None, "test").into();
        let mut settings = SigningSettings::default();
        settings.excluded_headers = None;
        if s3 {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        if s3 || body.is_none() {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let params = SigningParams::builder()
            .identity(&who)
            .region("eu-west-1")
            .name("svc")
            .time(after(7))
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let body = body.map_or(SignableBody::UnsignedPayload, SignableBody::Bytes);
        let lines = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let url = format!("https://h.example{target}");
        let request = SignableRequest::new("PUT", url, lines, body).unwrap();
        let (signed, _) = sign(request, &params).unwrap().into_parts();
        let mut headers = signed.headers();
        headers.find(|(name, _)| *name == "authorization").unwrap().1.to_owned()
    }

    fn ours(
        target: &str,
        fields: &[(String, String)],
        body: Option<&[u8]>,
        s3: bool,
        token: Option<&str>,
    ) -> String {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path =
            if s3 { crate::single_encoded_path(path.as_bytes()) } else { canonical_path(path.as_bytes()) };
        let query = canonical_query(query.as_bytes());
        let lines = fields.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let lines: Vec<_> = lines.chain([("host", &b"h.example"[..])]).collect();
        let payload = body.map_or(Payload::Unsigned, |body| Payload::Hash(Sha256Hex::of([body])));
        let request = Request { method: "PUT", path: &path, query: &query, fields: &lines, payload };
        let signer = Signer::new("eu-west-1", "svc");
        let signer = if s3 { signer.sending_hash() } else { signer };
        authorization(&signer, &credentials(token), &request, after(7))
    }

    proptest! {
        #[test]
        fn requests_are_signed_as_the_public_signer_signs_them(
            segments in proptest::collection::vec("[a-zA-Z0-9._~-]{0,6}(%[2-7][0-9A-F])?", 0..5),
            query in "([a-z]{1,3}(=([a-zA-Z0-9*+~_.-]|%[2-7][0-9A-F]){0,5})?&?){0,4}",
            fields in proptest::collection::vec(("x-[a-c]", "[!-~]([ -~]{0,12}[!-~])?"), 0..5),
            body in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200)),
            token in proptest::option::of("[A-Za-z0-9/+=]{1,40}"),
        ) {
            let mark = if query.is_empty() { "" } else { "?" };
            let target = format!("/{}{mark}{query}", segments.join("/"));
            let (body, token) = (body.as_deref(), token.as_deref());
            prop_assert_eq!(
                ours(&target, &fields, body, false, token),
                theirs(&target, &fields, body, false, token)
            );
            // Escapes that need not be are another path to S3.
            let plain = !target.contains('%');
            if plain {
                prop_assert_eq!(ours(&target, &fields, body, true, token), theirs(&target, &fields, body, true, token));
            }
        }
    }
}
