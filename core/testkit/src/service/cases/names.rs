//! What spans are called, and which requests have none.

use crate::service::Service;
use crate::service::kit::{Kit, sampled};
use crate::service::spans::{is_error, shown, status};

/// A request's span is called after its route, whatever the parameters and the query.
pub fn service_names_spans_after_routes<S: Service>() {
    let plain = S::ROUTES.plain;
    let mut expected = vec![
        (plain.path.to_owned(), plain.name, None),
        (with_query(plain.path), plain.name, None),
    ];
    if let Some(route) = S::ROUTES.template() {
        let template = Some(route.template.to_owned());
        for path in route.paths {
            expected.push((path.to_owned(), route.name, template.clone()));
            expected.push((with_query(path), route.name, template.clone()));
        }
    }
    let kit = Kit::<S>::start();
    for (number, (path, ..)) in (0..).zip(&expected) {
        let (_, headers) = sampled(number);
        assert_eq!(kit.get(path, &headers).status, 200, "{path}");
    }
    let spans = kit.stop();
    spans.requests(expected.len());
    for (number, (path, name, template)) in (0..).zip(expected) {
        let span = spans.request_of(sampled(number).0);
        assert_eq!(span.name, name, "{path}");
        if template.is_some() {
            assert_eq!(shown(span, "http.route"), template, "{path}");
        }
    }
}

fn with_query(path: &str) -> String {
    let sign = if path.contains('?') { '&' } else { '?' };
    format!("{path}{sign}visitor=ada")
}

/// Requests that match no route are known by their status, are no errors, and share one name, however many paths are tried.
pub fn service_names_not_found_with_a_bounded_name<S: Service>() {
    let paths = ["/there/is/no/such/17", "/nor/18"];
    let kit = Kit::<S>::start();
    let answers = paths.map(|path| {
        let (_, headers) = sampled(0);
        kit.get(path, &headers).status
    });
    let spans = kit.stop();
    if let Some(name) = S::ROUTES.not_found() {
        assert_eq!(answers, [404, 404]);
        for span in spans.requests(2) {
            assert_eq!(span.name, name);
            assert_eq!(status(span).as_deref(), Some("404"), "{span:?}");
            assert!(!is_error(span), "{span:?}");
        }
    }
    for span in spans.all() {
        let bounded = ["such", "nor", "17", "18"]
            .iter()
            .all(|part| !span.name.contains(part));
        assert!(bounded, "{span:?}");
    }
}

/// What the service says that it skips is served and leaves no span, also below a caller that has sampled its trace;
/// everything else leaves one.
pub fn service_does_not_trace_what_it_skips<S: Service>() {
    let kit = Kit::<S>::start();
    let skipped = S::ROUTES.skipped();
    if let Some(path) = skipped {
        assert_eq!(kit.get(path, &Vec::new()).status, 200);
        assert_eq!(kit.get(path, &sampled(0).1).status, 200);
    }
    let routes = [
        Some(S::ROUTES.plain),
        S::ROUTES.failure.ok(),
        S::ROUTES.stream.ok().map(|stream| stream.route),
    ];
    let routes: Vec<_> = routes.into_iter().flatten().collect();
    for (number, route) in (1..).zip(&routes) {
        kit.get(route.path, &sampled(number).1);
    }
    let spans = kit.stop();
    spans.requests(routes.len());
    for (number, route) in (1..).zip(&routes) {
        assert_eq!(spans.request_of(sampled(number).0).name, route.name);
    }
}
