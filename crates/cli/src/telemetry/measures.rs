//! What the library measures becomes metrics: an event that bears a metric's name is one measurement of it.

use std::fmt;

use agent_team::telemetry::names;
use agent_team::{Secrets, TaskQueue};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// The bounds of the conventions for tokens.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// The bounds of the conventions for the time of a call, in seconds.
const SECONDS: [f64; 14] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/// The instruments that hear measurements.
pub struct Measures {
    token_usage: Histogram<u64>,
    operation_duration: Histogram<f64>,
    cost: Counter<f64>,
    attempts: Counter<u64>,
    merges: Counter<u64>,
    secrets: Secrets,
}

impl Measures {
    pub fn new(meter: &Meter, secrets: Secrets) -> Self {
        Self {
            token_usage: meter
                .u64_histogram(names::TOKEN_USAGE)
                .with_unit("{token}")
                .with_description("Number of input and output tokens used.")
                .with_boundaries(TOKENS.to_vec())
                .build(),
            operation_duration: meter
                .f64_histogram(names::OPERATION_DURATION)
                .with_unit("s")
                .with_description("GenAI operation duration.")
                .with_boundaries(SECONDS.to_vec())
                .build(),
            cost: meter
                .f64_counter(names::COST)
                .with_unit("{USD}")
                .with_description("What calls of models cost, by the prices that agent-team knows.")
                .build(),
            attempts: meter
                .u64_counter(names::ATTEMPTS)
                .with_unit("{attempt}")
                .with_description("Attempts at tasks that ended.")
                .build(),
            merges: meter
                .u64_counter(names::MERGES)
                .with_unit("{merge}")
                .with_description("Turns of the merge queue that ended.")
                .build(),
            secrets,
        }
    }
}

/// Counts the tasks of a team by their status whenever metrics are exported.
pub fn count(meter: &Meter, queue: &TaskQueue) {
    let queue = queue.clone();
    let gauge = meter.u64_observable_gauge(names::TASKS).with_unit("{task}");
    let gauge = gauge.with_description("Tasks of the team.").with_callback(move |observer| {
        // What cannot be read now is told by the run itself.
        let Ok(status) = queue.get_status() else { return };
        let counts = status.counts;
        for (name, tasks) in [
            ("completed", counts.completed),
            ("failed", counts.failed),
            ("running", counts.running),
            ("ready", counts.ready),
            ("blocked", counts.blocked),
            ("cancelled", counts.cancelled),
        ] {
            observer.observe(tasks, &[KeyValue::new(names::STATUS, name)]);
        }
    });
    // The callback stays with the meter.
    let _ = gauge.build();
}

impl<S: Subscriber> Layer<S> for Measures {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut heard = Heard { measured: None, attributes: Vec::new(), secrets: &self.secrets };
        event.record(&mut heard);
        let Heard { measured, attributes, .. } = heard;
        match measured {
            Some((names::TOKEN_USAGE, Number::Whole(tokens))) => {
                self.token_usage.record(tokens, &attributes);
            }
            Some((names::OPERATION_DURATION, Number::Broken(seconds))) => {
                self.operation_duration.record(seconds, &attributes);
            }
            Some((names::COST, Number::Broken(dollars))) => self.cost.add(dollars, &attributes),
            Some((names::ATTEMPTS, Number::Whole(times))) => self.attempts.add(times, &attributes),
            Some((names::MERGES, Number::Whole(times))) => self.merges.add(times, &attributes),
            _ => {}
        }
    }
}

enum Number {
    Whole(u64),
    Broken(f64),
}

/// What an event says.
struct Heard<'a> {
    measured: Option<(&'static str, Number)>,
    attributes: Vec<KeyValue>,
    secrets: &'a Secrets,
}

/// Attributes are texts, and numbers with a sign.
impl Visit for Heard<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.measured = Some((field.name(), Number::Whole(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.attributes.push(KeyValue::new(field.name(), value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.measured = Some((field.name(), Number::Broken(value)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.attributes.push(KeyValue::new(field.name(), self.secrets.hidden(value).into_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
