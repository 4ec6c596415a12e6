//! A case that fails names what is wrong with the application, or with what is declared of it.

use std::panic::catch_unwind;

use opentracing_testkit::run;
use opentracing_testkit::server::cases;

use super::*;

const ALL_BUT_TRAILERS: &[(Feature, &str)] = match LACKS {
    [others @ .., _] => others,
    [] => LACKS,
};

/// A server whose application returns another id if `IDS` is true, and which does not declare that it has no trailers.
struct Wrong<const IDS: bool>(Running);

impl<const IDS: bool> Server for Wrong<IDS> {
    const CAPABILITIES: Capabilities = Capabilities {
        lacks: ALL_BUT_TRAILERS,
        ..BlockingServer::CAPABILITIES
    };

    fn start(app: App) -> Self {
        let inner = service(&app);
        Self(Running::start(Arc::new(move |request: Request| {
            let is_item = request.uri().path() == "/items/7";
            match IDS && is_item {
                true => Ok(text(200, "8")),
                false => inner.handle(request),
            }
        })))
    }

    fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    fn spawn(task: Task) {
        BlockingServer::spawn(task);
    }
}

/// The last line of what a case panics with.
fn hint(case: fn()) -> String {
    let panic = catch_unwind(|| run(case)).expect_err("the case fails");
    let message = panic.downcast::<String>().expect("a text");
    message.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn wrong_application_is_not_the_adapters_fault() {
    let hint = hint(cases::route_names_the_span::<Wrong<true>>);
    let expected = "hint: the application is wrong, also when nothing is traced: \
                    GET /items/7 returned 200 \"8\"; expected 200 \"7\"; ";
    assert!(hint.starts_with(expected), "{hint}");
}

#[test]
fn undeclared_lack_is_named_with_its_declaration() {
    let hint = hint(cases::trailers_are_passed_on::<Wrong<false>>);
    let expected = "of the trailer `x-sum`, returned nothing; expected 42, \
                    or else declare `lacks: &[(Feature::Trailers, \"reason\")]`";
    assert!(hint.ends_with(expected), "{hint}");
}

#[test]
fn application_is_checked_before_any_adapter() {
    let hint = hint(cases::application_is_right_untraced::<Wrong<false>>);
    assert!(hint.contains("Feature::Trailers"), "{hint}");
}
