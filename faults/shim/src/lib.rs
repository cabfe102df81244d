//! A library that is loaded into a program under test by `LD_PRELOAD`, stands in for some functions of the C library,
//! and at one call that it was told of lets that call fail, tears it, or kills or stops the program.
//!
//! What to do comes in one environment variable (see `plan`). In any other program than the one named there, and
//! without the variable, every call goes through as it is. Nothing here knows what the program under test is for.
#![expect(unsafe_code, reason = "a function that stands in for one of the C library is called by C's rules")]

mod act;
mod calls;
#[cfg(target_arch = "x86_64")]
mod file_system;
mod plan;
mod processes;
mod raw;

/// Runs before `main`, in the one thread that is there then.
extern "C" fn begin() {
    plan::load();
    #[cfg(target_arch = "x86_64")]
    if let Some(magic) = plan::get().and_then(|plan| plan.file_system) {
        file_system::pretend(magic);
    }
}

#[used]
// SAFETY: the loader calls each function of this section once, before `main`, and `begin` has the form it wants.
#[unsafe(link_section = ".init_array")]
static BEGIN: extern "C" fn() = begin;
