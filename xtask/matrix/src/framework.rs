//! The frameworks: their names, and where they differ, with the reason.

use std::fmt;

/// A framework with an example service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Framework {
    Axum,
    ActixWeb,
    Warp,
    Rocket,
}

/// What happens to a request whose client leaves while the handler waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// The server drops the handler at once: the span ends as `cancelled`, without a status.
    Cancels,
    /// The handler continues, and its response goes to nobody or to a client that still reads.
    RunsOn {
        /// The outcomes that the span may have after the handler; `None` is plain completion.
        outcomes: &'static [Option<&'static str>],
        /// Whether the server closes the connection before the handler is done.
        closes: bool,
    },
}

impl Framework {
    pub(crate) const ALL: [Self; 4] = [Self::Axum, Self::ActixWeb, Self::Warp, Self::Rocket];

    /// Rocket's handler has its own task, which passes the response to the connection's task. That one closes the
    /// socket before it ends: a response that is created in between is accepted, and a later one is dropped unread.
    const ROCKET_RUNS_ON: Leaving = Leaving::RunsOn {
        outcomes: &[Some("body_abandoned"), None],
        closes: true,
    };

    /// Returns the framework's name, which is also its tag `component` and its example's folder.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Axum => "axum",
            Self::ActixWeb => "actix-web",
            Self::Warp => "warp",
            Self::Rocket => "rocket",
        }
    }

    /// Returns the example's package, which is also the name of its service.
    pub(crate) fn package(self) -> String {
        format!("example-{}", self.name())
    }

    /// Returns the nested route with two parameters in the framework's syntax.
    pub(crate) fn item_route(self) -> &'static str {
        match self {
            Self::Axum | Self::ActixWeb | Self::Warp => "/shops/{shop}/items/{id}",
            Self::Rocket => "/shops/<shop>/items/<id>",
        }
    }

    /// Returns the status of a response to a request whose handler panicked, if there is a response.
    pub(crate) fn status_of_panic(self) -> Option<u16> {
        match self {
            // The panic unwinds through the connection's task: the client sees the connection close.
            Self::Axum | Self::ActixWeb | Self::Warp => None,
            // Rocket catches it and calls its catcher for status 500.
            Self::Rocket => Some(500),
        }
    }

    /// For a client that closes its half of the connection and continues to read.
    pub(crate) fn on_hang_up(self) -> Leaving {
        match self {
            Self::Axum | Self::Warp => Leaving::Cancels,
            // actix-web allows half-closed connections: the client may still be reading, and here it is.
            Self::ActixWeb => Leaving::RunsOn {
                outcomes: &[None],
                closes: false,
            },
            Self::Rocket => Self::ROCKET_RUNS_ON,
        }
    }

    /// For a client that resets the connection.
    pub(crate) fn on_reset(self) -> Leaving {
        match self {
            Self::Axum | Self::ActixWeb | Self::Warp => Leaving::Cancels,
            Self::Rocket => Self::ROCKET_RUNS_ON,
        }
    }
}

impl fmt::Display for Framework {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
