use crate::config_error::ConfigError;
use crate::env::variables::Variables;

const SERVICE_NAME: &str = "service.name";

/// The service's name and the attributes of its process, from `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`.
///
/// For tracers that send them with the spans. A policy does not use them.
///
/// ```
/// use opentracing_http::env::{Resource, Variables};
///
/// let source = |name: &str| match name {
///     "OTEL_RESOURCE_ATTRIBUTES" => Some("service.name=shop,deployment.environment.name=blue%2Cgreen".to_owned()),
///     "OTEL_SERVICE_NAME" => Some("checkout".to_owned()),
///     _ => None,
/// };
/// let resource = Resource::read(&Variables::new(&source))?;
/// assert_eq!(resource.service_name(), Some("checkout"));
/// let attributes: Vec<_> = resource.attributes().collect();
/// assert_eq!(attributes, [("deployment.environment.name", "blue,green")]);
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resource {
    service_name: Option<String>,
    attributes: Vec<(String, String)>,
}

impl Resource {
    /// Reads both variables.
    ///
    /// `OTEL_SERVICE_NAME` overrides a `service.name` in the attributes. Of two attributes with the same key the last
    /// one counts. All values are text. The list is written as [`Variables::pairs`] describes (OpenTelemetry's
    /// specification of resources, "Specifying resource information via an environment variable"); a `=` in a value
    /// belongs to the value.
    ///
    /// # Errors
    ///
    /// Returns an error if the list of attributes cannot be parsed; then none of it is used.
    pub fn read(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let mut attributes: Vec<(String, String)> = Vec::new();
        for (key, value) in variables.pairs("OTEL_RESOURCE_ATTRIBUTES")? {
            attributes.retain(|(other, _)| *other != key);
            attributes.push((key, value));
        }
        let at = attributes.iter().position(|(key, _)| key == SERVICE_NAME);
        let among_attributes = at.map(|at| attributes.remove(at).1);
        let service_name = variables
            .get("OTEL_SERVICE_NAME")
            .or(among_attributes.filter(|name| !name.trim().is_empty()));
        Ok(Self {
            service_name,
            attributes,
        })
    }

    /// Returns the service's name; `None` if neither variable sets it.
    #[must_use]
    pub fn service_name(&self) -> Option<&str> {
        self.service_name.as_deref()
    }

    /// Returns the other attributes, each key once, in the order in which they were written.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }
}
