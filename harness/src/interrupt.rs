//! Ctrl-C and termination: a flag that work looks at between steps.

use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Starts listening. The second signal ends the process at once.
pub fn listen() {
    let handler = || {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    };
    // Fails only if a handler is set already, which nothing else in this program does.
    let _ = ctrlc::set_handler(handler);
}

/// Whether a signal has come.
pub fn requested() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
