//! One service under test.

use crate::client::{Connection, Response};
use crate::service::caller::{Caller, Headers};
use crate::service::next::{Call, Next};
use crate::service::spans::Spans;
use crate::service::{Route, Service};

/// One service under test.
#[derive(Debug)]
pub(crate) struct Kit<S> {
    service: S,
}

impl<S: Service> Kit<S> {
    pub(crate) fn start() -> Self {
        Self {
            service: S::start(),
        }
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.service.addr())
    }

    /// The response to a request on a connection of its own, which the service has closed as well.
    #[track_caller]
    pub(crate) fn get(&self, path: &str, headers: &Headers) -> Response {
        last_response(self.last_request(path, headers))
    }

    /// Requests the plain route, which returns 200.
    #[track_caller]
    pub(crate) fn plain(&self, headers: &Headers) -> Response {
        let response = self.get(S::ROUTES.plain.path, headers);
        assert_eq!(response.status, 200, "{headers:?}");
        response
    }

    /// Has the service call `next`, which then holds its response back. Returns the request's connection, and the call.
    pub(crate) fn call(&self, route: Route, next: &Next, headers: &Headers) -> (Connection, Call) {
        let connection = self.send_call(route, &next.url("/next"), headers);
        (connection, next.call())
    }

    /// Sends a request on a connection of its own, which the service is asked to close afterwards.
    pub(crate) fn last_request(&self, path: &str, headers: &Headers) -> Connection {
        let mut connection = self.connect();
        request(&mut connection, path, &closing(headers));
        connection
    }

    /// Has the service call a URL.
    pub(crate) fn send_call(&self, route: Route, url: &str, headers: &Headers) -> Connection {
        self.last_request(&format!("{}{url}", route.path), headers)
    }

    /// Stops the service: all that it has exported.
    #[track_caller]
    pub(crate) fn stop(self) -> Spans {
        Spans::new(self.service.stop())
    }
}

/// Sends a request.
pub(crate) fn request(connection: &mut Connection, path: &str, headers: &Headers) {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect();
    connection.request("GET", path, &headers);
}

/// The headers of a request after which the service closes the connection.
pub(crate) fn closing(headers: &Headers) -> Headers {
    let mut headers = headers.clone();
    headers.push(("connection", "close".to_owned()));
    headers
}

/// The response to the last request of a connection, which the service has closed then: a server that finds a connection open
/// when it stops may wait for it.
#[track_caller]
pub(crate) fn last_response(mut connection: Connection) -> Response {
    let response = connection.response("GET").expect("a response");
    assert!(connection.bytes(1).is_none(), "more than the response came");
    response
}

/// The headers of a caller that has sampled its trace.
pub(crate) fn sampled(number: u32) -> (Caller, Headers) {
    let caller = Caller::number(number);
    (caller, caller.w3c(true))
}
