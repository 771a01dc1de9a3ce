use std::time::{Duration, SystemTime};

use super::*;
use crate::{AUTHORITY_FILE, CERTIFICATE_FILE, Credentials, KEY_FILE, Renewal, Validity};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn day(number: u32) -> SystemTime {
    SystemTime::UNIX_EPOCH + 20_000 * DAY + number * DAY
}

fn created() -> Authorities {
    Authorities::create(day(0), Lifetimes::default()).unwrap()
}

/// Whether the certificate is signed by one of the bundle, and both are valid.
fn trusted(bundle: &str, credentials: &Credentials, now: SystemTime) -> bool {
    use x509_parser::prelude::{FromDer, Pem, X509Certificate};
    let ders = |text: &str| -> Vec<Vec<u8>> {
        Pem::iter_from_buffer(text.as_bytes()).map(|pem| pem.unwrap().contents).collect()
    };
    let leaf = ders(&credentials.certificate);
    let (_, leaf) = X509Certificate::from_der(&leaf[0]).unwrap();
    let valid = |validity: Validity| validity.not_before <= now && now <= validity.not_after;
    ders(bundle).iter().any(|der| {
        let (_, authority) = X509Certificate::from_der(der).unwrap();
        let signed = leaf.verify_signature(Some(authority.public_key())).is_ok();
        signed && valid(Validity::of(&authority)) && valid(Validity::of(&leaf))
    })
}

#[test]
fn what_was_kept_is_read_back() {
    let authorities = created();
    assert_eq!(Authorities::read(&authorities.data(), authorities.lifetimes).unwrap(), authorities);
    let two = authorities.rotated(day(46)).unwrap().unwrap();
    assert_eq!(Authorities::read(&two.data(), two.lifetimes).unwrap(), two);
}

#[test]
fn what_was_not_kept_like_that_is_refused_by_the_name_of_the_file() {
    let good = created().data();
    let other = created().data();
    let with = |file: &str, bytes: Option<Vec<u8>>| {
        let mut data = good.clone();
        data.remove(file);
        data.extend(bytes.map(|bytes| (file.to_owned(), bytes)));
        Authorities::read(&data, Lifetimes::default()).unwrap_err().to_string()
    };
    assert_eq!(with("ca.crt", None), "ca.crt: is missing");
    assert_eq!(with("ca.crt", Some(vec![0xff])), "ca.crt: is no text");
    assert_eq!(with("ca.crt", Some(b"hello".to_vec())), "ca.crt: does not end as PEM does");
    assert_eq!(with("ca.key", Some(Vec::new())), "ca.key: has 0 keys for 1 certificates");
    assert_eq!(with("ca.key", Some(good["ca.crt"].clone())), "ca.key: is no private key");
    let other = with("ca.key", Some(other["ca.key"].clone()));
    assert_eq!(other, "ca.key: a key is not that of its certificate");
    let leaf = created().client(day(0), "a", "b").unwrap().certificate.into_bytes();
    assert_eq!(with("ca.crt", Some(leaf)), "ca.crt: is no certificate of an authority");
}

/// Every half day for a year, whoever has credentials of the day before is trusted, and trusts.
#[test]
fn authorities_take_over_from_each_other_without_anybody_noticing() {
    let mut authorities = created();
    let mut proxy = authorities.client(day(0), "shop", "web").unwrap();
    let mut rotations = 0;
    for half in 1..730 {
        let now = day(0) + half * DAY / 2;
        if let Some(rotated) = authorities.rotated(now).unwrap() {
            authorities = rotated;
            rotations += 1;
            assert_eq!(authorities.rotated(now).unwrap(), None);
        }
        let server = authorities.server(now, &["ferrule.example".to_owned()]).unwrap();
        assert!(trusted(&proxy.authorities, &server, now), "the proxy trusts the server, {half}");
        assert!(trusted(&authorities.bundle(), &proxy, now), "the server trusts the proxy, {half}");
        let renewal = authorities.client_renewal(&proxy.data(), now, "shop", "web");
        assert!(renewal.is_some(), "is due after half of its life, {half}");
        proxy = authorities.client(now, "shop", "web").unwrap();
        assert_eq!(authorities.client_renewal(&proxy.data(), now, "shop", "web"), None);
    }
    // A successor each 45 days, and each time the predecessor is forgotten.
    assert_eq!(rotations, 16);
}

#[test]
fn an_authority_signs_only_when_it_has_been_announced() {
    let first = created();
    assert_eq!(first.rotated(day(44)).unwrap(), None);
    let both = first.rotated(day(45)).unwrap().unwrap();
    assert_eq!(both.signer(day(45)).unwrap(), &both.all[0]);
    assert_eq!(both.signer(day(46)).unwrap(), &both.all[1]);
    assert_eq!(both.rotated(day(46)).unwrap(), None);
    let second = both.rotated(day(47)).unwrap().unwrap();
    assert_eq!(second.all, [both.all[1].clone()]);
}

#[test]
fn authorities_that_have_all_run_out_are_replaced() {
    let old = created();
    assert!(matches!(old.client(day(91), "a", "b"), Err(PkiError::NoAuthority)));
    let new = old.rotated(day(91)).unwrap().unwrap();
    assert_eq!(new.all.len(), 1);
    assert!(trusted(&new.bundle(), &new.client(day(91), "a", "b").unwrap(), day(91)));
}

#[test]
fn a_clock_that_is_behind_makes_no_new_authority() {
    let authorities = created();
    let behind = day(0) - Duration::from_secs(3600);
    assert_eq!(authorities.rotated(behind).unwrap(), None);
    authorities.client(behind, "a", "b").unwrap();
}

#[test]
fn credentials_are_renewed_when_they_are_not_right() {
    let authorities = created();
    let credentials = authorities.client(day(0), "shop", "web").unwrap();
    let renewal = |data: &_, now| authorities.client_renewal(data, now, "shop", "web");
    let data = credentials.data();
    assert_eq!(renewal(&data, day(0)), None);
    assert_eq!(renewal(&data, day(0) + DAY / 2), Some(Renewal::Due));
    for file in [CERTIFICATE_FILE, KEY_FILE] {
        let mut broken = data.clone();
        broken.insert(file.to_owned(), b"-----BEGIN".to_vec());
        let reason = format!("{file} is missing or no PEM");
        assert_eq!(renewal(&broken, day(0)), Some(Renewal::Unreadable(reason)));
    }
    let mut other = data.clone();
    other.insert(AUTHORITY_FILE.to_owned(), created().bundle().into_bytes());
    assert_eq!(renewal(&other, day(0)), Some(Renewal::OtherAuthorities));
    let other = authorities.client(day(0), "shop", "other").unwrap().data();
    assert!(matches!(renewal(&other, day(0)), Some(Renewal::OtherName(_))));
}

#[test]
fn what_cannot_be_a_name_is_refused() {
    let error = created().server(day(0), &["nö".to_owned()]).unwrap_err();
    assert!(error.to_string().starts_with("\"nö\" cannot be in a certificate"), "{error}");
}

#[test]
fn keys_show_in_no_debug_output() {
    let authorities = created();
    let credentials = authorities.client(day(0), "a", "b").unwrap();
    assert!(!format!("{authorities:?}{credentials:?}").contains("PRIVATE"));
}
