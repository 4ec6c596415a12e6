//! Outgoing calls that propagate the trace.

use std::sync::LazyLock;
use std::time::Duration;

use opentracing_http::{Span, SpanKind};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Request, Url};

static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .timeout(Duration::from_secs(30))
        .build()
        .expect("these settings are valid")
});

/// Creates the client, so that the first request does not wait for it.
pub(crate) fn warm_up() {
    LazyLock::force(&CLIENT);
}

/// The response of a called service, to be passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status; 502 if there was no response.
    pub status: u16,
    /// The body; an error message if there was no response.
    pub body: String,
}

/// Calls `to`, within a child span of `span` that is propagated in the request's headers.
pub async fn call(span: &Span, to: &str) -> Answer {
    match Url::parse(to) {
        Ok(url) => get(span, url).await,
        Err(error) => Answer::bad_gateway(&error),
    }
}

/// Calls the first of these services, which calls the next, and so on: `to` contains their addresses, separated by
/// commas.
pub async fn chain(span: &Span, to: &str) -> Answer {
    let url = match to.split_once(',') {
        Some((first, rest)) => Url::parse_with_params(&format!("{first}/chain"), [("to", rest)]),
        None => Url::parse(&format!("{to}/")),
    };
    match url {
        Ok(url) => get(span, url).await,
        Err(error) => Answer::bad_gateway(&error),
    }
}

async fn get(span: &Span, url: Url) -> Answer {
    let call = span
        .build_child("call")
        .kind(SpanKind::Client)
        .tag("http.method", "GET")
        .start();
    call.set_tag("http.url", without_query(&url));

    // The child is not the current span here, so the line has the ids of the request's span.
    log::info!("calling {}", without_query(&url));
    let mut request = Request::new(Method::GET, url);
    call.inject(request.headers_mut());
    match answer(request).await {
        Ok(answer) => {
            call.set_tag("http.status_code", answer.status);
            answer
        }
        Err(error) => {
            // A query can contain secrets.
            let error = error.without_url();
            call.record_error(&error);
            Answer::bad_gateway(&error)
        }
    }
}

async fn answer(request: Request) -> reqwest::Result<Answer> {
    let response = CLIENT.execute(request).await?;
    Ok(Answer {
        status: response.status().as_u16(),
        body: response.text().await?,
    })
}

fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

impl Answer {
    fn bad_gateway(error: &dyn std::error::Error) -> Self {
        Self {
            status: 502,
            body: error.to_string(),
        }
    }
}
