//! What a request's span is called.

use opentracing_http::{Route, SemanticConvention};

use crate::app::Reply;
use crate::server::cases::{assert_tags, outcome, span_of_unmatched, text};
use crate::server::{Feature, Kit, Server};

/// A request's span is named after its method and its route's template.
pub fn route_names_the_span<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/items/7").text(), "7");
    let span = kit.span();
    assert_eq!(span.name(), S::CAPABILITIES.name("GET", "/items/{id}"));
    assert_eq!(
        text(&span, "http.route"),
        S::CAPABILITIES.template("/items/{id}")
    );
}

/// A nested route's template is the whole one.
pub fn nested_route_is_joined_with_single_slashes<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/nested/items/7").text(), "7");
    let span = kit.span();
    assert_eq!(
        span.name(),
        S::CAPABILITIES.name("GET", "/nested/items/{id}")
    );
    assert_eq!(
        text(&span, "http.route"),
        S::CAPABILITIES.template("/nested/items/{id}")
    );
}

/// The route may become known late: finish callbacks and the span's name have it all the same.
pub fn route_is_known_at_the_end<S: Server>() {
    let kit = Kit::<S>::with(|policy| {
        policy.on_finish(|end| {
            if let Route::Template(template) = end.route {
                end.span.set_tag("told", template.to_owned());
            }
        })
    });
    let span = kit.span_of("/items/7");
    assert_eq!(text(&span, "told"), S::CAPABILITIES.template("/items/{id}"));
    assert_eq!(span.name(), S::CAPABILITIES.name("GET", "/items/{id}"));
}

/// Where no route matches, the name is the method, never the path.
pub fn not_found_has_a_bounded_name<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/no/such/path").status, 404);
    let Some(span) = span_of_unmatched(&kit) else {
        return;
    };
    assert_eq!((span.name(), span.tag("http.route")), ("GET", None));
    assert_eq!(text(&span, "http.status_code").as_deref(), Some("404"));
    assert!(!span.is_error());
    let expected = match S::CAPABILITIES.has(Feature::UnmatchedRoute) {
        true => Route::Unmatched,
        false => Route::Unknown,
    };
    assert_eq!(span.http().map(|http| http.route()), Some(expected));
}

/// A method that a route does not have is named with the route's template, if the framework knows it, and after the method otherwise.
pub fn wrong_method_has_a_bounded_name<S: Server>() {
    let kit = Kit::<S>::new();
    let response = kit.send("DELETE", "/items/7", &[]);
    assert!(matches!(response.status, 404 | 405), "{response:?}");
    let Some(span) = span_of_unmatched(&kit) else {
        return;
    };
    let expected = match S::CAPABILITIES.has(Feature::RouteOfWrongMethod) {
        true => S::CAPABILITIES.name("DELETE", "/items/{id}"),
        false => "DELETE".to_owned(),
    };
    assert_eq!(span.name(), expected);
    assert_eq!(outcome(&span).1, Some(response.status));
}

/// A request that one route declines and another accepts has one span, named after the second.
pub fn declined_request_has_one_span<S: Server>() {
    // Without it there is no route that declines: the second one responds at once.
    let _ = S::CAPABILITIES.has(Feature::DecliningRoutes);
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/declined/7").text(), "7");
    assert_eq!(
        kit.span().name(),
        S::CAPABILITIES.name("GET", "/declined/{id}")
    );
}

/// The root's path is a slash.
pub fn options_on_the_root_has_path_slash<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.send("OPTIONS", "/", &[]).status, 200);
    let span = kit.span();
    assert_eq!(span.name(), S::CAPABILITIES.name("OPTIONS", "/"));
    assert_tags(
        &span,
        &[
            ("http.method", "OPTIONS"),
            ("http.url", "http://test.example/"),
        ],
    );
}

/// A method that HTTP does not know is `_OTHER` in tags and `HTTP` in names, so that callers cannot invent names.
pub fn unknown_method_is_other<S: Server>() {
    let is_served = S::CAPABILITIES.has(Feature::UnknownMethods);
    let kit = Kit::<S>::with(|policy| policy.convention(SemanticConvention::Both));
    let mut connection = kit.request("BREW", "/play", &[]);
    let response = connection.response("BREW");
    if is_served {
        assert_eq!(response.map(|response| response.status), Some(200));
        let span = kit.span();
        assert_eq!(span.name(), S::CAPABILITIES.name("HTTP", "/play"));
        assert_tags(
            &span,
            &[("http.method", "_OTHER"), ("http.request.method", "_OTHER")],
        );
    } else {
        assert!(response.is_none_or(|response| response.status >= 400));
    }
}

/// A rule of the policy's can make the name, from the method and the route; where it makes none the usual one stands.
pub fn names_can_be_made_by_a_rule<S: Server>() {
    let kit = Kit::<S>::setup()
        .policy(|policy| {
            policy.name_with(|method, route| match route {
                Route::Template(template) => Some(format!("{template} ({method})")),
                _ => (method == "POST").then(|| "posted".to_owned()),
            })
        })
        .play(|_| async { Reply::text("") })
        .start();
    kit.get_ok("/items/7");
    let template = S::CAPABILITIES.template("/items/{id}");
    let expected = template.map_or("GET".to_owned(), |template| format!("{template} (GET)"));
    assert_eq!(kit.span().name(), expected);
    assert!(kit.send("POST", "/no/such/path", &[]).status >= 400);
    if let Some(span) = span_of_unmatched(&kit) {
        assert_eq!(span.name(), "posted");
    }
}
