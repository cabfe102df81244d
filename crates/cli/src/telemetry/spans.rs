//! The last step before spans leave: what is a secret is hidden, and what the conventions want as a list becomes one.

use agent_team::Secrets;
use agent_team::telemetry::names;
use opentelemetry::{Array, StringValue, Value};
use opentelemetry_otlp::SpanExporter as Otlp;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use std::time::Duration;

/// An exporter that lets no secret out.
#[derive(Debug)]
pub struct Hiding {
    pub exporter: Otlp,
    pub secrets: Secrets,
}

impl SpanExporter for Hiding {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        for span in &mut batch {
            span.name = self.secrets.hidden(&span.name).into_owned().into();
            for attribute in &mut span.attributes {
                let Value::String(text) = &attribute.value else { continue };
                let text = StringValue::from(self.secrets.hidden(text.as_str()).into_owned());
                // `tracing` knows no lists.
                attribute.value = match attribute.key.as_str() {
                    names::FINISH_REASONS => Value::Array(Array::String(vec![text])),
                    _ => Value::String(text),
                };
            }
        }
        self.exporter.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
