//! Plans under way: `<results>/plans/<name>-<digest>/` with `plan.jsonl`, and of what was handed to a batch system the
//! script, its logs, and `jobs.jsonl`, a line a job.

use super::{Cluster, EngineName, Queue, Work, tasks};
use crate::atomic::write_atomically;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::plan::{self, LineNumbers, PlanLine};
use crate::talk::say;
use datasets::wait_for;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const FOLDER: &str = "plans";
const PLAN: &str = "plan.jsonl";
const JOBS: &str = "jobs.jsonl";

/// A plan that somebody works on, or has worked on.
#[derive(Clone, Debug)]
pub struct Handed {
    /// The experiment, its variant and the plan's digest.
    pub name: String,
    /// Where it lies.
    pub folder: PathBuf,
    /// Its runs.
    pub lines: Vec<PlanLine>,
}

/// A job of a batch system, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Submitted {
    engine: String,
    job: String,
}

impl Submitted {
    /// With the batch system to ask, where this program knows it.
    fn queued(self) -> Option<Queued> {
        let engine = EngineName::named(&self.engine)?;
        Some(Queued { engine, queue: engine.queue()?, job: self.job })
    }
}

/// A job, and whom to ask about it.
struct Queued {
    engine: EngineName,
    queue: Box<dyn Queue>,
    job: String,
}

/// The place of the plan of `lines`. The same runs have the same one.
pub fn place(results: &Path, name: &str, lines: &[PlanLine]) -> Handed {
    let name = format!("{name}-{}", &plan::digest(lines)[..8]);
    let folder = results.join(FOLDER).join(&name);
    Handed { name, folder, lines: lines.to_vec() }
}

/// All plans that are kept below `results`; one that cannot be read is told and left out.
pub fn all(results: &Path) -> Result<Vec<Handed>> {
    let folder = results.join(FOLDER);
    let entries = match std::fs::read_dir(&folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|e| Error::file("read", &folder, e))?,
    };
    let mut found = Vec::new();
    for folder in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        match plan::read(&folder.join(PLAN)) {
            Ok(lines) => {
                let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
                found.push(Handed { name, folder, lines });
            }
            Err(error) => say!("{error}"),
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

impl Handed {
    /// Writes the plan into its place: from then on `harness status` tells about it.
    pub fn write(&self) -> Result<()> {
        write_atomically(&self.folder.join(PLAN), plan::text(&self.lines).as_bytes())
    }

    fn jobs(&self) -> Result<Vec<Submitted>> {
        let path = self.folder.join(JOBS);
        let text = match std::fs::read_to_string(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            text => text.map_err(|e| Error::file("read", &path, e))?,
        };
        // A line that somebody cut is no job's.
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Those of batch systems that this program knows.
    fn queued(&self) -> Result<impl Iterator<Item = Queued>> {
        Ok(self.jobs()?.into_iter().filter_map(Submitted::queued))
    }

    /// Adds a job to its own.
    fn book(&self, job: Submitted) -> Result<()> {
        let mut jobs = self.jobs()?;
        jobs.push(job);
        let line = |job| serde_json::to_string(job).expect("plain data") + "\n";
        write_atomically(&self.folder.join(JOBS), jobs.iter().map(line).collect::<String>().as_bytes())
    }

    /// The right to hand it over: whoever asks at the same time waits, and then sees the job.
    fn lock(&self) -> Result<File> {
        std::fs::create_dir_all(&self.folder).map_err(|e| Error::file("create", &self.folder, e))?;
        let path = self.folder.join("lock");
        let lock = File::options().create(true).append(true).open(&path);
        let lock = lock.map_err(|e| Error::file("lock", &path, e))?;
        let mut waiting = Some(|| say!("another process is handing {} over; waiting for it", self.name));
        match wait_for(&lock, interrupt::requested, &mut waiting).map_err(|e| Error::file("lock", &path, e))? {
            true => Ok(lock),
            false => Err(Error::Interrupted),
        }
    }

    /// How many tasks of it wait or run in batch systems.
    ///
    /// # Errors
    /// If one of them cannot be asked.
    pub fn alive(&self) -> Result<usize> {
        self.alive_beside(None, &mut |_| {})
    }

    /// The same for work that is for `engine`: jobs of other batch systems that cannot be asked are taken to be gone,
    /// which `say` tells.
    pub fn alive_beside(&self, engine: Option<EngineName>, say: &mut dyn FnMut(&str)) -> Result<usize> {
        let mut alive = 0;
        for Queued { engine: other, queue, job } in self.queued()? {
            match queue.alive(&job) {
                Ok(tasks) => alive += tasks,
                Err(error) if engine.is_some_and(|engine| engine != other) => {
                    say(&format!("{error}\njob {job} of {} is taken to be gone", other.name()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(alive)
    }

    /// What its tasks wait for, as batch systems call it, each word once.
    pub fn waits_for(&self) -> Result<BTreeSet<String>> {
        let mut words = BTreeSet::new();
        for Queued { queue, job, .. } in self.queued()? {
            words.extend(queue.waits_for(&job)?);
        }
        Ok(words)
    }

    /// Ends its jobs; gives how many tasks that were. One that cannot be asked or ended keeps no other alive.
    pub fn cancel(&self) -> Result<usize> {
        let (mut ended, mut errors) = (0, Vec::new());
        for Queued { engine, queue, job } in self.queued()? {
            let cancelled = queue.alive(&job).and_then(|alive| match alive {
                0 => Ok(0),
                alive => queue.cancel(&job).map(|()| alive),
            });
            match cancelled {
                Ok(tasks) => ended += tasks,
                Err(error) => errors.push(format!("job {job} of {}: {error}", engine.name())),
            }
        }
        match errors.is_empty() {
            true => Ok(ended),
            false => Err(Error::Failed(format!("{ended} tasks ended, but {}", errors.join("\n")))),
        }
    }

    /// What is handed over of it: those of its lines whose numbers, counted from 1, are `left`.
    pub fn work(&self, left: &[usize], cluster: Cluster, command: Vec<String>) -> Result<Work> {
        let folder = std::path::absolute(&self.folder).map_err(|e| Error::file("find", &self.folder, e))?;
        let lines: Vec<_> = left.iter().map(|&number| (number, self.lines[number - 1].seconds)).collect();
        let tasks = tasks(&lines, cluster.task_minutes, cluster.jobs);
        let tasks = tasks.iter().map(|lines| LineNumbers::written(lines)).collect();
        let plan = folder.join(PLAN).display().to_string();
        let command = command.into_iter().chain([plan]).collect();
        Ok(Work { name: self.name.clone(), folder, tasks, command, cluster })
    }
}

/// Hands `work` of a plan to `engine`, unless tasks of it wait or run there already; says which job it is.
pub fn hand_over(engine: EngineName, handed: &Handed, work: &Work) -> Result<()> {
    let queue = engine.queue().ok_or_else(|| Error::Input("this machine is no batch system".into()))?;
    let _one_at_a_time = handed.lock()?;
    if let alive @ 1.. = handed.alive_beside(Some(engine), &mut |told| say!("{told}"))? {
        say!("{alive} tasks of {} wait or run already; nothing is submitted", handed.name);
        return Ok(());
    }
    handed.write()?;
    let script = work.folder.join(format!("{}.sh", engine.name()));
    write_atomically(&script, queue.script(work).as_bytes())?;
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, executable).map_err(|e| Error::file("write", &script, e))?;
    let job = queue.submit(&script)?;
    handed.book(Submitted { engine: engine.name(), job: job.clone() })?;
    say!(
        "submitted {} as job {job}: {} tasks; script and logs in {}",
        work.name,
        work.tasks.len(),
        work.folder.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;
    use crate::spec::Request;

    #[test]
    fn a_plan_is_kept_once_and_what_is_left_of_it_is_handed_over_by_line() {
        let folder = tempfile::tempdir().unwrap();
        let line = |seed| {
            let spec = example::run(seed, 98.0).spec;
            PlanLine { id: spec.id(), title: "BP".into(), seconds: Some(900.0), bytes: None, spec }
        };
        let lines: Vec<PlanLine> = (0..4).map(line).collect();
        let handed = place(folder.path(), "table1-quick-flex", &lines);
        handed.write().unwrap();
        let timed: Vec<PlanLine> = lines.iter().map(|line| PlanLine { seconds: None, ..line.clone() }).collect();
        let again = place(folder.path(), "table1-quick-flex", &timed);
        assert_eq!(again.folder, handed.folder);
        again.write().unwrap();
        std::fs::create_dir(folder.path().join("plans/foreign")).unwrap();
        let found = all(folder.path()).unwrap();
        assert_eq!((found.len(), &found[0].lines), (1, &timed));
        let work = handed.work(&[2, 3, 4], Cluster::default(), vec!["work".into()]).unwrap();
        assert_eq!(work.tasks, ["2-3", "4"]);
        assert!(work.folder.is_absolute() && work.command[1].ends_with("plan.jsonl"));
        assert_eq!((handed.alive().unwrap(), handed.cancel().unwrap()), (0, 0));
    }

    #[test]
    fn a_cut_line_of_the_jobs_costs_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let handed = place(folder.path(), "table1-quick-flex", &[]);
        let job = |number: &str| Submitted { engine: "slurm".into(), job: number.into() };
        handed.lock().unwrap();
        handed.book(job("7")).unwrap();
        let path = handed.folder.join(JOBS);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}{{\"engine\":\"sl")).unwrap();
        handed.book(job("8")).unwrap();
        assert_eq!(handed.jobs().unwrap(), [job("7"), job("8")]);
    }
}
