//! Many LLM agents at work in parallel on shared tasks and one code base.
pub mod command;
pub mod model;
pub mod tools;
