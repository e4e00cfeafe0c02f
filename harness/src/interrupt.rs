//! Ctrl-C, termination, and the death of the process that started a run for itself: a flag that work looks at between
//! steps.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// The process that this one works for, 0 for none.
static PARENT: AtomicU32 = AtomicU32::new(0);
/// Whether there is nothing to keep, so that a signal ends the process at once.
static AT_ONCE: AtomicBool = AtomicBool::new(false);
/// How often a process with nothing to keep looks for the one that it works for.
const LOOK: Duration = Duration::from_millis(100);

/// Starts listening. The second signal ends the process at once. A signal that was ignored when the program started, as
/// `nohup` and a script's `&` have it, stays ignored.
pub fn listen() {
    let handler = || {
        if INTERRUPTED.swap(true, Ordering::Relaxed) || AT_ONCE.load(Ordering::Relaxed) {
            end();
        }
    };
    signals::prepare();
    let ignored = signals::ignored();
    // Fails only if a handler is set already, which nothing else in this program does.
    let _ = ctrlc::set_handler(handler);
    signals::ignore(&ignored);
}

/// Ends this process's work when the process `parent`, which started it, is gone.
pub fn follow(parent: u32) {
    PARENT.store(parent, Ordering::Relaxed);
}

/// Says that this process has nothing to keep: from here on a signal ends it at once, within a step of seconds too, and
/// so does the end of the process that it works for.
pub fn nothing_to_keep() {
    static STARTED: AtomicBool = AtomicBool::new(false);
    AT_ONCE.store(true, Ordering::Relaxed);
    if requested() {
        end();
    }
    if PARENT.load(Ordering::Relaxed) == 0 {
        return;
    }
    std::thread::spawn(|| {
        STARTED.store(true, Ordering::Relaxed);
        while !orphaned() {
            std::thread::sleep(LOOK);
        }
        end();
    });
    // Whatever a thread allocates when it starts is no part of what is weighed afterwards.
    while !STARTED.load(Ordering::Relaxed) {
        std::thread::yield_now();
    }
}

/// Ends this process from whichever thread.
fn end() -> ! {
    crate::talk::tell(format_args!("error: {}", crate::error::Error::Interrupted));
    std::process::exit(130);
}

/// Whether a signal has come, or the process that this one works for is gone.
pub fn requested() -> bool {
    INTERRUPTED.load(Ordering::Relaxed) || orphaned()
}

fn orphaned() -> bool {
    let parent = PARENT.load(Ordering::Relaxed);
    parent != 0 && std::os::unix::process::parent_id() != parent
}

/// What becomes of signals. `ctrlc` takes all or none, and the standard library cannot ask.
#[allow(
    unsafe_code,
    reason = "plain system calls on signals, at the start, before there is a second thread of our own"
)]
mod signals {
    use libc::{SIG_DFL, SIG_IGN, SIGABRT, SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGXFSZ, c_int};

    /// A file that may not grow is an error of the write, which names it, and no signal. Of children whose signal the
    /// parent had this program ignore, nobody could be told how they ended.
    pub fn prepare() {
        // SAFETY: neither to ignore a signal nor the system's own way with it runs code of ours.
        unsafe {
            libc::signal(SIGXFSZ, SIG_IGN);
            libc::signal(SIGCHLD, SIG_DFL);
        }
        // SAFETY: the handler does what a handler may: it looks at an atomic number and writes.
        unsafe { libc::signal(SIGABRT, aborted as *const () as libc::sighandler_t) };
    }

    /// Rust's way to end where no memory is left is to abort, which goes on after this.
    extern "C" fn aborted(_: c_int) {
        const WORDS: &[u8] =
            b"error: there is no more memory; take a smaller --batch or --width, or fewer --jobs at once\n";
        if sll_core::memory::refused() > 0 {
            // SAFETY: the bytes are static. Talk may find nobody.
            let _ = unsafe { libc::write(libc::STDERR_FILENO, WORDS.as_ptr().cast(), WORDS.len()) };
        }
    }

    /// Those that the parent had this program ignore.
    pub fn ignored() -> Vec<c_int> {
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

    pub fn ignore(signals: &[c_int]) {
        for &signal in signals {
            // SAFETY: to ignore a signal runs no code of ours.
            unsafe { libc::signal(signal, SIG_IGN) };
        }
    }
}
