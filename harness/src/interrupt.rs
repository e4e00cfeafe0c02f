//! Ctrl-C, termination, and the death of the process that started a run for itself: a flag that work looks at between steps.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// The process that this one works for, 0 for none.
static PARENT: AtomicU32 = AtomicU32::new(0);

/// Starts listening. The second signal ends the process at once. A signal that was ignored when the program started, as
/// `nohup` and a script's `&` have it, stays ignored.
pub fn listen() {
    let handler = || {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    };
    let ignored = ignored::now();
    // Fails only if a handler is set already, which nothing else in this program does.
    let _ = ctrlc::set_handler(handler);
    ignored::again(&ignored);
}

/// Ends this process's work when the process `parent`, which started it, is gone.
pub fn follow(parent: u32) {
    PARENT.store(parent, Ordering::Relaxed);
}

/// Whether a signal has come, or the process that this one works for is gone.
pub fn requested() -> bool {
    INTERRUPTED.load(Ordering::Relaxed) || orphaned()
}

fn orphaned() -> bool {
    let parent = PARENT.load(Ordering::Relaxed);
    parent != 0 && std::os::unix::process::parent_id() != parent
}

/// Signals that the parent had this program ignore. `ctrlc` takes all or none, and the standard library cannot ask.
#[allow(unsafe_code)] // plain system calls on signals, at the start, before there is a second thread of our own
mod ignored {
    use libc::{SIG_IGN, SIGHUP, SIGINT, SIGTERM, c_int};

    pub fn now() -> Vec<c_int> {
        let is_ignored = |signal: &c_int| {
            let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
            // SAFETY: with no new action the call only writes the present one to memory of its type; zeros are one too.
            let action = unsafe {
                let asked = libc::sigaction(*signal, std::ptr::null(), action.as_mut_ptr());
                (asked == 0).then(|| action.assume_init())
            };
            action.is_some_and(|action| action.sa_sigaction == SIG_IGN)
        };
        [SIGINT, SIGTERM, SIGHUP].into_iter().filter(is_ignored).collect()
    }

    pub fn again(signals: &[c_int]) {
        for &signal in signals {
            // SAFETY: to ignore a signal runs no code of ours.
            unsafe { libc::signal(signal, SIG_IGN) };
        }
    }
}
