//! Progress as data, a line of JSON each: what other programs read (`--progress json`), and what the process of a table
//! hears from the processes of its runs.

use crate::units::duration;
use serde::{Deserialize, Serialize};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum News {
    /// Several runs or measurements begin.
    Plan {
        /// `run` or `measurement`.
        noun: String,
        /// All of them.
        total: usize,
        /// Those that are there already.
        done: usize,
        /// How many are made at once.
        at_once: usize,
    },
    /// A run begins, or goes on.
    Start {
        /// Its name.
        run: String,
        /// What it is, in words.
        title: String,
        /// Epochs in all.
        epochs: usize,
        /// Epochs that are done already.
        from_epoch: usize,
        /// Steps of the next epoch that are done already.
        from_step: usize,
        /// Training images.
        images: usize,
        /// The data set, where it is from, and what is to be known of it, in words.
        data: String,
    },
    /// Steps of a run are done; told about once a second.
    Step {
        /// Its name.
        run: String,
        /// The epoch under way, counted from 1.
        epoch: usize,
        /// Epochs in all.
        epochs: usize,
        /// Steps of the epoch that are done.
        step: usize,
        /// Steps of an epoch.
        steps: usize,
        /// How long the rest will take, where that is known.
        eta_seconds: Option<f64>,
    },
    /// Images of an evaluation are predicted; told about once a second.
    Evaluation {
        /// The run's name.
        run: String,
        /// The epoch that was trained last, counted from 1.
        epoch: usize,
        /// Epochs in all.
        epochs: usize,
        /// Images that are predicted.
        images: usize,
        /// Images of the evaluation.
        of: usize,
    },
    /// An epoch of a run is done.
    Epoch {
        /// Its name.
        run: String,
        /// What it is, in words.
        title: String,
        /// Which epoch, counted from 1.
        epoch: usize,
        /// Epochs in all.
        epochs: usize,
        /// Mean loss at the output; nothing of one that is no number.
        train_loss: Option<f64>,
        /// Percent.
        test_accuracy: f64,
        /// Since the start of training.
        seconds: f64,
        /// How long the rest will take, where that is known.
        eta_seconds: Option<f64>,
    },
    /// A run or measurement is over.
    End {
        /// Its name.
        run: String,
        /// What it is, in words.
        title: String,
        /// What came of it.
        outcome: Outcome,
        /// Why it failed.
        why: Option<String>,
    },
    /// How far several runs are.
    Whole {
        /// Those that are over, well or not.
        done: usize,
        /// Those that were to be made.
        to_do: usize,
        /// How long the rest will take, where that is known.
        eta_seconds: Option<f64>,
    },
    /// A sentence for people.
    Note {
        /// The sentence.
        text: String,
    },
}

/// What came of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is in the store.
    Done,
    /// It is in the store, as one whose loss or weights stopped being numbers.
    Diverged,
    /// There is none.
    Failed,
    /// There is none yet: it was asked to end, and the same command goes on.
    Interrupted,
}

impl News {
    /// As a line.
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("plain data")
    }

    /// From a line; nothing of one that is something else.
    pub fn parse(line: &str) -> Option<Self> {
        line.starts_with('{').then(|| serde_json::from_str(line).ok()).flatten()
    }

    /// The same of a run that is called `name` by whoever shows it.
    #[must_use]
    pub fn called(mut self, name: &str) -> Self {
        match &mut self {
            News::Start { title, .. } | News::Epoch { title, .. } | News::End { title, .. } => name.clone_into(title),
            News::Plan { .. }
            | News::Step { .. }
            | News::Evaluation { .. }
            | News::Whole { .. }
            | News::Note { .. } => {}
        }
        self
    }

    /// Sentences for people; none of what only a bar shows.
    pub fn sentences(&self) -> Vec<String> {
        match self {
            News::Start { title, from_epoch, from_step, images, data, .. } => {
                let resumes = match (from_epoch, from_step) {
                    (0, 0) => None,
                    (epochs, 0) => Some(format!("{title}: resumes after epoch {epochs}")),
                    (epochs, steps) => Some(format!("{title}: resumes after step {steps} of epoch {}", epochs + 1)),
                };
                [Some(format!("{title}: {images} training images of {data}")), resumes].into_iter().flatten().collect()
            }
            News::Epoch { title, .. } => vec![format!("{title}: {}", self.short())],
            News::Plan { noun, total, done, at_once } => {
                vec![format!("{total} {noun}s: {done} already done, {} to do, {at_once} at once", total - done)]
            }
            News::Note { text } => vec![text.clone()],
            News::Whole { done, to_do, eta_seconds: Some(eta) } if done < to_do => {
                vec![format!("{done} of {to_do} done, about {} to go", duration(*eta))]
            }
            News::Step { .. } | News::Evaluation { .. } | News::End { .. } | News::Whole { .. } => Vec::new(),
        }
    }

    /// Beside a bar.
    pub fn short(&self) -> String {
        let to_go = |eta: &Option<f64>| eta.map_or(String::new(), |eta| format!(", about {} to go", duration(eta)));
        match self {
            News::Epoch { epoch, epochs, train_loss, test_accuracy, seconds, eta_seconds, .. } => format!(
                "epoch {epoch}/{epochs}: loss {:.4}, accuracy {test_accuracy:.2} %, {seconds:.1} s{}",
                train_loss.unwrap_or(f64::NAN),
                if epoch < epochs { to_go(eta_seconds) } else { String::new() }
            ),
            News::Step { epoch, epochs, step, steps, eta_seconds, .. } => {
                format!("epoch {epoch}/{epochs}, step {step}/{steps}{}", to_go(eta_seconds))
            }
            News::Evaluation { epoch, epochs, images, of, .. } => {
                format!("epoch {epoch}/{epochs}, evaluated {images}/{of}")
            }
            News::Whole { done, to_do, eta_seconds } => format!("{done}/{to_do}{}", to_go(eta_seconds)),
            other => other.sentences().pop().unwrap_or_default(),
        }
    }

    /// How much of a run is done, from 0 to 1, where this says so.
    pub fn share(&self) -> Option<f64> {
        match *self {
            News::Start { from_epoch, epochs, .. } => Some(from_epoch as f64 / epochs.max(1) as f64),
            News::Step { epoch, epochs, step, steps, .. } => {
                Some(((epoch - 1) as f64 + step as f64 / steps.max(1) as f64) / epochs.max(1) as f64)
            }
            News::Epoch { epoch, epochs, .. } => Some(epoch as f64 / epochs.max(1) as f64),
            _ => None,
        }
    }
}

/// How long the rest takes if it goes on as it did: `elapsed` seconds for what lies between the shares `from` and
/// `now`; nothing while there is too little to tell.
pub fn eta(elapsed: f64, from: f64, now: f64) -> Option<f64> {
    let eta = elapsed / (now - from) * (1.0 - now);
    (now > from && eta.is_finite()).then_some(eta)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(epoch: usize, eta_seconds: Option<f64>) -> News {
        News::Epoch {
            run: "a1".into(),
            title: "BP".into(),
            epoch,
            epochs: 4,
            train_loss: Some(0.25),
            test_accuracy: 98.5,
            seconds: 2.0,
            eta_seconds,
        }
    }

    #[test]
    fn a_line_comes_back_as_it_was_and_other_lines_are_none() {
        let news = epoch(1, Some(6.0));
        assert!(news.line().starts_with("{\"event\":\"epoch\",\"run\":\"a1\""), "{}", news.line());
        assert_eq!(News::parse(&news.line()), Some(news));
        assert_eq!((News::parse("error: no"), News::parse("{\"event\":\"other\"}")), (None, None));
    }

    #[test]
    fn a_run_is_called_what_its_row_is_called() {
        let called = epoch(1, None).called("SLL, tuned");
        assert!(called.sentences()[0].starts_with("SLL, tuned: epoch 1/4"), "{called:?}");
        let note = News::Note { text: "x".into() };
        assert_eq!(note.clone().called("SLL"), note);
    }

    #[test]
    fn sentences_say_the_rest_until_the_last_epoch() {
        let text = |news: News| news.sentences().join("\n");
        let told = text(epoch(1, Some(6.0)));
        assert_eq!(told, "BP: epoch 1/4: loss 0.2500, accuracy 98.50 %, 2.0 s, about 6 seconds to go");
        assert_eq!(text(epoch(4, Some(0.0))), "BP: epoch 4/4: loss 0.2500, accuracy 98.50 %, 2.0 s");
        let note = News::Note { text: "x".into() };
        assert_eq!((text(note.clone()), note.share()), ("x".into(), None));
    }

    #[test]
    fn shares_and_the_rest_are_of_what_was_done_since_the_start() {
        assert_eq!(epoch(1, None).share(), Some(0.25));
        let step = News::Step { run: "a".into(), epoch: 2, epochs: 4, step: 5, steps: 10, eta_seconds: None };
        assert_eq!(step.share(), Some(0.375));
        let evaluation = News::Evaluation { run: "a".into(), epoch: 2, epochs: 4, images: 500, of: 1000 };
        assert_eq!((evaluation.short().as_str(), evaluation.share()), ("epoch 2/4, evaluated 500/1000", None));
        assert_eq!(eta(10.0, 0.5, 0.75), Some(10.0));
        assert_eq!((eta(10.0, 0.5, 0.5), eta(0.0, 0.0, 0.0)), (None, None));
    }
}
