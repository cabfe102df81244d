//! Whether a run is exported, and how, as OpenTelemetry's own variables say it.
//!
//! Only what decides whether there is anything to do is read here. The exporters themselves read the rest: headers, timeouts,
//! intervals. What a variable holds is not shown where it may hold a password.

use opentelemetry_otlp::Protocol;
use reqwest::Url;

/// What is exported, and to whom.
#[derive(Debug, Default, PartialEq)]
pub struct Settings {
    /// How traces are exported, if they are.
    pub traces: Option<Way>,
    /// How metrics are exported, if they are.
    pub metrics: Option<Way>,
    /// What is not done although the variables want it, with what to do about that. One thing at a time.
    pub warning: Option<String>,
}

/// The way to a collector.
#[derive(Debug, PartialEq)]
pub struct Way {
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Whether the collector is on this very machine: no proxy leads there.
    pub is_near: bool,
    /// Whether the way is encrypted.
    pub is_encrypted: bool,
}

impl Settings {
    /// What these variables say. One that is empty is one that is missing.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| {
            variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        if variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Self::default();
        }
        let (traces, metrics) = (way("TRACES", &variable), way("METRICS", &variable));
        let warning = [&traces, &metrics].into_iter().find_map(|way| way.as_ref().err().cloned());
        Self { traces: traces.unwrap_or_default(), metrics: metrics.unwrap_or_default(), warning }
    }

    /// Whether there is nothing to do.
    pub fn is_nothing(&self) -> bool {
        self.traces.is_none() && self.metrics.is_none()
    }

    /// The ways that are gone.
    pub fn ways(&self) -> impl Iterator<Item = &Way> {
        self.traces.iter().chain(&self.metrics)
    }
}

/// The way of one signal; `None` if nobody asks for it, and words if it is asked for and cannot be gone.
fn way(signal: &str, variable: &impl Fn(&str) -> Option<String>) -> Result<Option<Way>, String> {
    let either = |what: &str| {
        let names = [format!("OTEL_EXPORTER_OTLP_{signal}_{what}"), format!("OTEL_EXPORTER_OTLP_{what}")];
        names.into_iter().find_map(|name| variable(&name).map(|value| (name, value)))
    };
    let Some((name, endpoint)) = either("ENDPOINT") else { return Ok(None) };
    let exporter_name = format!("OTEL_{signal}_EXPORTER");
    let exporter = variable(&exporter_name).unwrap_or_else(|| "otlp".to_owned());
    if exporter == "none" {
        return Ok(None);
    }
    if !exporter.split(',').any(|one| one.trim() == "otlp") {
        return Err(format!("{exporter_name}={exporter} is not known here: set it to otlp or none"));
    }
    let protocol = match either("PROTOCOL") {
        None => Protocol::HttpBinary,
        Some((_, protocol)) if protocol == "http/protobuf" => Protocol::HttpBinary,
        Some((_, protocol)) if protocol == "http/json" => Protocol::HttpJson,
        Some((name, protocol)) => {
            return Err(format!(
                "{name}={protocol} is not spoken here: set it to http/protobuf or http/json, and {} to where the collector \
                 takes that, port 4318 as a rule",
                "the endpoint"
            ));
        }
    };
    let url = Url::parse(&endpoint).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| format!("{name} is no URL that begins with http:// or https://"))?;
    let host = url.host_str().unwrap_or_default();
    let is_near = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    Ok(Some(Way { protocol, is_near, is_encrypted: url.scheme() == "https" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        Settings::of(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    const HERE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");

    #[test]
    fn without_an_endpoint_or_if_it_is_switched_off_nothing_is_done() {
        for variables in [
            &[][..],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
            &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
            &[HERE, ("OTEL_SDK_DISABLED", "TRUE")],
            &[HERE, ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "none")],
        ] {
            assert_eq!(settings(variables), Settings::default(), "{variables:?}");
        }
    }

    #[test]
    fn each_signal_has_its_own_variables_which_go_before_those_of_all() {
        let both = settings(&[HERE, ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json")]);
        assert_eq!(both.traces.map(|way| way.protocol), Some(Protocol::HttpBinary));
        assert_eq!(both.metrics.map(|way| way.protocol), Some(Protocol::HttpJson));
        let one = settings(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://collector.example/v1/traces")]);
        assert_eq!(one.traces.as_ref().map(|way| (way.is_near, way.is_encrypted)), Some((false, true)));
        assert_eq!((one.metrics, one.warning), (None, None));
        let none = settings(&[HERE, ("OTEL_TRACES_EXPORTER", "none")]);
        assert!(none.traces.is_none() && none.metrics.is_some_and(|way| way.is_near));
    }

    #[test]
    fn what_cannot_be_done_is_said_once_with_what_to_do() {
        let grpc = settings(&[HERE, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
        let warning = grpc.warning.as_deref().unwrap_or_default();
        assert!(grpc.is_nothing() && warning.contains("PROTOCOL=grpc") && warning.contains("http/protobuf"));
        let console = settings(&[HERE, ("OTEL_TRACES_EXPORTER", "console")]);
        assert!(console.traces.is_none() && console.metrics.is_some() && console.warning.is_some());
        let no_url = settings(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "me:secret@collector:4318")]);
        let warning = no_url.warning.unwrap_or_default();
        assert!(warning.contains("is no URL") && !warning.contains("secret"), "{warning}");
    }
}
