//! Traces and metrics of a run, exported over OTLP where OpenTelemetry's variables name an endpoint.
//!
//! Where they name none, nothing is set up: no thread, no subscriber, no connection. A collector can neither slow a run nor
//! fail it: what it does not take is lost, which is said once, and at the end it has [`FLUSH_LIMIT`] for the last.

mod client;
mod measures;
mod settings;
mod spans;

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use agent_team::telemetry::TARGET;
use agent_team::{Secrets, TaskQueue};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Runtime;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

use self::client::{Client, Complaint};
use self::measures::Measures;
use self::settings::{Settings, Way};
use self::spans::Hiding;
use crate::live::Live;

/// What programs are called that say nothing else.
const SERVICE: &str = "agent-team";
/// How long the collector may take at the end of a run, for all that it has not got yet.
const FLUSH_LIMIT: Duration = Duration::from_secs(3);
/// How long it may take for one request if no variable says otherwise.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// What is said of variables that the exporter refuses. Its own words hold the endpoint, which may hold a password.
const UNUSABLE: &str =
    "the variables that begin with OTEL_EXPORTER_OTLP_ cannot be used as they are: see docs/telemetry.md";

/// What exports a run. When it is dropped the last is sent, and nothing after that.
pub struct Telemetry {
    runtime: Option<Runtime>,
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
    complaint: Arc<Complaint>,
}

impl Telemetry {
    /// Begins to export what this process does, and how many tasks its team has, if the variables of its environment want
    /// that.
    pub fn begin(live: &Live, queue: &TaskQueue) -> Option<Self> {
        let variable = |name: &str| std::env::var(name).ok();
        let settings = Settings::of(variable);
        if let Some(warning) = &settings.warning {
            live.say(&format!("WARNING telemetry: {warning}"));
        }
        if settings.is_nothing() {
            return None;
        }
        let limit = variable("OTEL_EXPORTER_OTLP_TIMEOUT").and_then(|limit_ms| limit_ms.trim().parse().ok());
        let limit = limit.map_or(REQUEST_LIMIT, Duration::from_millis);
        match Self::set_up(&settings, limit, live, &queue.team_log().secrets()) {
            Ok(telemetry) => {
                if let Some(metrics) = &telemetry.metrics {
                    measures::count(&metrics.meter_with_scope(scope()), queue);
                }
                Some(telemetry)
            }
            Err(reason) => {
                live.say(&format!("WARNING telemetry: nothing is exported: {reason}"));
                None
            }
        }
    }

    fn set_up(settings: &Settings, limit: Duration, live: &Live, secrets: &Secrets) -> Result<Self, String> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).thread_name("telemetry").enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let live = live.clone();
        let complaint = Arc::new(Complaint::to(move |what| {
            let lost = "what it does not take is lost, and the run goes on";
            live.say(&format!("WARNING telemetry: the collector {what}; {lost}"));
        }));
        let client = Client::new(settings, limit, runtime.handle().clone(), complaint.clone())?;
        let resource = resource(secrets);
        let traces =
            settings.traces.as_ref().map(|way| traces(way, &client, &resource, secrets)).transpose()?;
        let metrics = settings.metrics.as_ref().map(|way| metrics(way, &client, &resource)).transpose()?;
        let spans = traces.as_ref().map(|traces| {
            tracing_opentelemetry::layer()
                .with_tracer(traces.tracer_with_scope(scope()))
                .with_location(false)
                .with_threads(false)
                .with_level(false)
                .with_target(false)
                .with_tracked_inactivity(false)
                .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == TARGET))
        });
        let measures = metrics.as_ref().map(|metrics| {
            Measures::new(&metrics.meter_with_scope(scope()), secrets.clone())
                .with_filter(filter_fn(|metadata| metadata.is_event() && metadata.target() == TARGET))
        });
        let ours = Registry::default().with(spans).with(measures);
        tracing::subscriber::set_global_default(ours).map_err(|error| error.to_string())?;
        Ok(Self { runtime: Some(runtime), traces, metrics, complaint })
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.complaint.is_ending();
        let (sender, ended) = mpsc::channel();
        let traces = self.traces.take().map(|traces| -> Box<dyn FnOnce() + Send> {
            Box::new(move || drop(traces.shutdown_with_timeout(FLUSH_LIMIT)))
        });
        let metrics = self.metrics.take().map(|metrics| -> Box<dyn FnOnce() + Send> {
            Box::new(move || drop(metrics.shutdown_with_timeout(FLUSH_LIMIT)))
        });
        let mut open = 0;
        for end in [traces, metrics].into_iter().flatten() {
            let sender = sender.clone();
            let ending = thread::Builder::new().spawn(move || {
                end();
                // Nobody waits any more if it took too long.
                let _ = sender.send(());
            });
            open += usize::from(ending.is_ok());
        }
        let deadline = Instant::now() + FLUSH_LIMIT;
        let left = || deadline.saturating_duration_since(Instant::now());
        let all_ended = (0..open).all(|_| ended.recv_timeout(left()).is_ok());
        if !all_ended {
            self.complaint.say("has not taken the last in time");
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(SERVICE).with_version(env!("CARGO_PKG_VERSION")).build()
}

/// What is said of this program, with what the variables say of it.
fn resource(secrets: &Secrets) -> Resource {
    let said = Resource::builder().build();
    let hidden = said.iter().map(|(name, value)| {
        let value = secrets.hidden(&value.as_str()).into_owned();
        // The name that is made up where nobody says one.
        let is_made_up = name.as_str() == "service.name" && value.starts_with("unknown_service");
        KeyValue::new(name.clone(), if is_made_up { Value::from(SERVICE) } else { value.into() })
    });
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let said: Vec<KeyValue> = std::iter::once(version).chain(hidden).collect();
    Resource::builder_empty().with_attributes(said).build()
}

fn traces(
    way: &Way,
    client: &Client,
    resource: &Resource,
    secrets: &Secrets,
) -> Result<SdkTracerProvider, String> {
    let exporter = SpanExporter::builder().with_http().with_http_client(client.clone());
    let exporter = exporter.with_protocol(way.protocol).build();
    let exporter = exporter.map_err(|_| UNUSABLE)?;
    let exporter = Hiding { exporter, secrets: secrets.clone() };
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.clone()).build())
}

fn metrics(way: &Way, client: &Client, resource: &Resource) -> Result<SdkMeterProvider, String> {
    let exporter = MetricExporter::builder().with_http().with_http_client(client.clone());
    let exporter = exporter.with_protocol(way.protocol).build().map_err(|_| UNUSABLE)?;
    Ok(SdkMeterProvider::builder().with_periodic_exporter(exporter).with_resource(resource.clone()).build())
}
