//! The sentinel that aborts the launch of traced routes without the fairing.

use std::convert::Infallible;
use std::sync::atomic::{AtomicIsize, Ordering};

use rocket::http::{Method, Status};
use rocket::request::{FromRequest, Outcome};
use rocket::{Ignite, Request, Rocket, Route, Sentinel, options, routes};

use crate::fairing::Attached;

/// Returns a route with the sentinel. Rocket has no way to add a sentinel to an existing route.
pub(crate) fn route() -> Route {
    // Routes that match the same requests need different ranks.
    static RANK: AtomicIsize = AtomicIsize::new(isize::MIN);
    let mut route = routes![needs_fairing].remove(0);
    // The target of a CONNECT request is a host, not a path. Rocket rejects it before it looks for a route.
    route.method = Method::Connect;
    route.rank = RANK.fetch_add(1, Ordering::Relaxed);
    route
}

#[options("/")]
fn needs_fairing(_guard: TracedRoutesNeedTracingFairing) {}

/// A guard that forwards every request. Its name appears in Rocket's error message.
struct TracedRoutesNeedTracingFairing;

impl Sentinel for TracedRoutesNeedTracingFairing {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        let is_missing = rocket.state::<Attached>().is_none();
        if is_missing {
            log::error!(
                "Traced routes need the tracing fairing. Add this line: .attach(TracingFairing::new(&tracing)), \
                 or .attach(TracingFairing::only_traced_routes(&tracing)) to record no other routes."
            );
        }
        is_missing
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for TracedRoutesNeedTracingFairing {
    type Error = Infallible;

    async fn from_request(_: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Forward(Status::NotFound)
    }
}
