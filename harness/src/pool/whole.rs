//! How far all processes of a pool are, together.

use crate::news::{News, eta};
use crate::progress;
use crate::talk::{self, Manner};
use indicatif::{MultiProgress, ProgressBar};
use std::time::{Duration, Instant};

/// The least time between two words about the whole: on a bar, to a program, to people.
const EVERY: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(60)];

/// All of it.
pub(super) struct Whole {
    to_do: usize,
    bar: Option<ProgressBar>,
    began: Instant,
    told: Instant,
}

impl Whole {
    /// Of so many processes, with a bar below theirs where there are bars.
    pub fn new(to_do: usize, bars: Option<&MultiProgress>) -> Self {
        let bar = bars.filter(|_| to_do > 1).map(|bars| bars.add(progress::bar("all".into())));
        Self { to_do, bar, began: Instant::now(), told: Instant::now() }
    }

    /// So many are over, of those under way so much is done, and of all of these so much was done before, a process
    /// counting 1.
    pub fn show(&mut self, over: usize, under_way: f64, before: f64) {
        let [bar, program, people] = EVERY;
        let every = match (&self.bar, talk::manner()) {
            (Some(_), _) => bar,
            (None, Manner::Json) => program,
            (None, _) => people,
        };
        if self.to_do < 2 || self.told.elapsed() < every {
            return;
        }
        self.told = Instant::now();
        let all = self.to_do as f64;
        let share = (over as f64 + under_way) / all;
        let eta_seconds = eta(self.began.elapsed().as_secs_f64(), before / all, share);
        let news = News::Whole { done: over, to_do: self.to_do, eta_seconds };
        match &self.bar {
            Some(bar) => {
                bar.set_position((share * progress::PARTS as f64) as u64);
                bar.set_message(news.short());
            }
            None => talk::report(&news),
        }
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
