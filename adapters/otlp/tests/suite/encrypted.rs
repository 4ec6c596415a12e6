//! https, over both protocols.

use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::Duration;

use opentracing_http::HttpTracing;
use opentracing_otlp::{OtlpTracer, OtlpTracerBuilder};

use crate::receiver::{Authority, Receiver, WIRES};
use crate::{SOON, builder};

#[track_caller]
fn assert_reaches(receiver: &Receiver, builder: OtlpTracerBuilder) {
    let (tell, told) = channel();
    let builder = builder.on_error(move |error| tell.send(error.to_string()).unwrap_or_default());
    let tracing = HttpTracing::new(builder.retries(0).build().unwrap());
    tracing.span("hidden").start().finish();
    let flushed = tracing.flush(SOON);
    assert!(flushed.is_complete(), "{:?}", told.try_recv());
    assert_eq!(receiver.span().name, "hidden");
}

/// The error for a collector that is not trusted, or does not trust.
#[track_caller]
fn assert_fails(builder: OtlpTracerBuilder) -> String {
    let (tell, told) = channel();
    let builder = builder.on_error(move |error| tell.send(error.to_string()).unwrap_or_default());
    let tracing = HttpTracing::new(builder.retries(0).build().unwrap());
    tracing.span("hidden").start().finish();
    assert_eq!(tracing.flush(SOON).lost(), 1);
    told.recv_timeout(SOON).unwrap()
}

#[test]
fn collector_is_known_by_the_authority_that_is_given() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    for wire in WIRES {
        let receiver = Receiver::encrypted(*wire, &ours, false);
        assert_reaches(&receiver, builder(&receiver).certificate(ours.pem()));
        // Several in one file.
        let both = format!("{}{}", theirs.pem(), ours.pem());
        assert_reaches(&receiver, builder(&receiver).certificate(both));
        let error = assert_fails(builder(&receiver).certificate(theirs.pem()));
        assert!(error.contains("certificate"), "{error}");
        assert!(receiver.rest().is_empty());
    }
}

#[test]
fn collector_that_wants_a_certificate_gets_it() {
    let ours = Authority::new();
    for wire in WIRES {
        let receiver = Receiver::encrypted(*wire, &ours, true);
        let (certificate, key) = ours.sign("client");
        let known = builder(&receiver)
            .certificate(ours.pem())
            .client_certificate(certificate.pem(), key.serialize_pem());
        assert_reaches(&receiver, known);
        assert_fails(builder(&receiver).certificate(ours.pem()));
        assert!(receiver.rest().is_empty());
    }
}

/// A folder of the test's own, which is removed with its files.
struct Folder(PathBuf);

impl Folder {
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

#[test]
fn files_are_named_by_variables() {
    let ours = Authority::new();
    let (certificate, key) = ours.sign("client");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("files_are_named_by_variables");
    std::fs::create_dir_all(&folder).unwrap();
    let folder = Folder(folder);
    let ca = folder.file("ca.pem", &ours.pem());
    let certificate = folder.file("certificate.pem", &certificate.pem());
    let key = folder.file("key.pem", &key.serialize_pem());
    for wire in WIRES {
        let receiver = Receiver::encrypted(*wire, &ours, true);
        let builder = builder(&receiver).env_with(|name| match name {
            "OTEL_EXPORTER_OTLP_CERTIFICATE" => Some(ca.clone()),
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE" => Some(certificate.clone()),
            "OTEL_EXPORTER_OTLP_CLIENT_KEY" => Some(key.clone()),
            _ => None,
        });
        assert_reaches(&receiver, builder);
    }
}

#[test]
fn files_that_cannot_be_used_are_errors() {
    let ours = Authority::new();
    let (certificate, key) = ours.sign("client");
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    let others_key = ours.sign("other").1.serialize_pem();
    let builder = || OtlpTracer::builder("x").endpoint("https://collector");
    let option = |builder: OtlpTracerBuilder| {
        let error = builder.certificate(ours.pem()).build().unwrap_err();
        error.to_string()
    };
    for pem in [
        "",
        "no PEM",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let error = builder().certificate(pem).build().unwrap_err();
        assert_eq!(error.option(), "certificate", "{pem}");
    }
    for (certificate, key, remedy) in [
        ("", &*key, "there is no certificate in it"),
        (&*certificate, "", "there is no private key in it"),
        (&*certificate, &*others_key, "give both of one pair"),
    ] {
        let error = option(builder().client_certificate(certificate, key));
        assert!(error.contains(remedy), "{error}");
    }
}

#[test]
fn one_certificate_without_the_other_is_an_error() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("one_without_the_other");
    std::fs::create_dir_all(&folder).unwrap();
    let folder = Folder(folder);
    let ours = Authority::new();
    let file = folder.file("one.pem", &ours.pem());
    for name in [
        "OTEL_EXPORTER_OTLP_CLIENT_KEY",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    ] {
        let builder = OtlpTracer::builder("x")
            .endpoint("https://collector")
            .certificate(ours.pem())
            .env_with(|asked| (asked == name).then(|| file.clone()));
        let error = builder.build().unwrap_err();
        assert_eq!(error.option(), name);
        assert!(error.to_string().contains("give both"), "{error}");
    }
}

#[test]
fn collector_that_does_not_encrypt_is_an_error_in_time() {
    let ours = Authority::new();
    for wire in WIRES {
        let receiver = Receiver::start(*wire);
        let url = receiver.url().replace("http://", "https://");
        let builder = builder(&receiver)
            .endpoint(url)
            .certificate(ours.pem())
            .timeout(Duration::from_millis(500));
        assert_fails(builder);
    }
}
