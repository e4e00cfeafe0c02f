//! Ctrl-C, termination, a scheduler's word, and the death of the process that started a run for itself: a flag that
//! work looks at between steps.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::low_level::pipe;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// The process that this one works for, 0 for none.
static PARENT: AtomicU32 = AtomicU32::new(0);
/// Whether there is nothing to keep, so that a signal ends the process at once.
static AT_ONCE: AtomicBool = AtomicBool::new(false);
/// How often a process with nothing to keep looks for the one that it works for.
const LOOK: Duration = Duration::from_millis(100);

/// Starts listening to SIGINT, SIGTERM, SIGHUP and SIGUSR1. A second Ctrl-C ends the process at once; schedulers send
/// one signal after another, so that of others the second changes nothing. A signal that was ignored when the program
/// started, as `nohup` and a script's `&` have it, stays ignored.
///
/// Without the pipe and thread that it takes, which every system has room for at a program's start, signals keep the
/// system's own way.
pub fn listen() {
    signals::prepare();
    let Ok((mut reader, writer)) = UnixStream::pair() else { return };
    let by_hand = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGUSR1] {
        if signals::is_ignored(signal) {
            continue;
        }
        if signal == SIGINT {
            // In the order of their registration: the thread finds the mark when it hears of the signal.
            let _ = signal_hook::flag::register(signal, Arc::clone(&by_hand));
        }
        let _ = writer.try_clone().and_then(|writer| pipe::register(signal, writer));
    }
    let hear = move || {
        let mut byte = [0];
        while reader.read_exact(&mut byte).is_ok() {
            let again = INTERRUPTED.swap(true, Ordering::Relaxed);
            if AT_ONCE.load(Ordering::Relaxed) || (by_hand.swap(false, Ordering::Relaxed) && again) {
                end();
            }
        }
    };
    let _ = std::thread::Builder::new().name("signals".into()).spawn(hear);
}

/// Ends this process's work when the process `parent`, which started it, is gone. Where memory ends, the system is to
/// end this one, and not its parent with all the others' work.
pub fn follow(parent: u32) {
    // Where there is no such file, the system chooses as it likes.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
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

/// The process that a signal has to reach for this one's work to end: the one that it works for, or itself.
pub fn leader() -> u32 {
    match PARENT.load(Ordering::Relaxed) {
        0 => std::process::id(),
        parent => parent,
    }
}

/// Asks the process `pid` to end its work as a signal ends this one's. One that is gone is asked nothing.
pub fn ask_to_end(pid: u32) {
    signals::terminate(pid);
}

/// Whether a signal has come, or the process that this one works for is gone.
pub fn requested() -> bool {
    INTERRUPTED.load(Ordering::Relaxed) || orphaned()
}

/// [`requested`], now or within `time`.
pub fn requested_within(time: Duration) -> bool {
    let until = std::time::Instant::now() + time;
    while !requested() && std::time::Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    requested()
}

fn orphaned() -> bool {
    let parent = PARENT.load(Ordering::Relaxed);
    parent != 0 && std::os::unix::process::parent_id() != parent
}

/// What else becomes of signals, and what became of them before; the standard library cannot ask.
#[allow(
    unsafe_code,
    reason = "plain system calls on signals; handlers are set before there is a second thread of our own"
)]
mod signals {
    use libc::{SIG_DFL, SIG_IGN, SIGABRT, SIGCHLD, SIGXFSZ, c_int};

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

    /// Sends SIGTERM.
    pub fn terminate(pid: u32) {
        if let Ok(pid) = libc::pid_t::try_from(pid) {
            // SAFETY: the call takes two numbers.
            let _ = unsafe { libc::kill(pid, libc::SIGTERM) };
        }
    }

    /// Whether the parent had this program ignore `signal`.
    pub fn is_ignored(signal: c_int) -> bool {
        let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: with no new action the call only writes the present one to memory of its type; zeros are one too.
        let action = unsafe {
            let asked = libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
            (asked == 0).then(|| action.assume_init())
        };
        action.is_some_and(|action| action.sa_sigaction == SIG_IGN)
    }
}
