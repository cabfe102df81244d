//! Many LLM agents at work in parallel on shared tasks and one code base.
pub mod git;
pub mod model;
