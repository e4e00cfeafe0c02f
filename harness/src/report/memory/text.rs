//! What figures and tables of memory write alike.

use crate::record::Footprint;
use crate::report::distinct;
use crate::report::grid::{escape, grouped};
use crate::units::MIB;
use sll_core::memory::{ByCategory, StandingBytes, StepBytes};

/// `12.34`: MiB.
pub fn mib(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / MIB)
}

/// `+1.25 %`.
pub fn percent(value: f64) -> String {
    format!("{value:+.2} %")
}

/// What `name` gives for each of `found`, every answer once.
fn each(found: &[&Footprint], name: impl Fn(&Footprint) -> String) -> String {
    distinct(found.iter().copied(), name)
}

/// One line: machine, versions, command.
pub fn origin(found: &[&Footprint], command: &str) -> String {
    let list = |name: &str, value: String| if value.is_empty() { String::new() } else { format!("{name} {value} · ") };
    format!(
        "{}{}{}{}{}{} measurements · `{command}`\n",
        list("Device", escape(&distinct(found, |f| f.provenance.device.to_string()))),
        list("on", escape(&distinct(found, |f| f.provenance.hardware.clone()))),
        list("threads a measurement", each(found, |f| f.provenance.threads.to_string())),
        list("harness", escape(&distinct(found, |f| f.provenance.harness.clone()))),
        list("with", escape(&distinct(found, |f| f.provenance.backend.clone()))),
        found.len()
    )
}

/// What every number means, and how far the weighed steps agree.
pub fn definitions(found: &[&Footprint]) -> String {
    let meter = escape(&distinct(found, |f| f.provenance.memory_definition.clone()));
    let optimizer = each(found, |f| format!("{:?}", f.spec.optimizer).to_lowercase());
    let repeated: Vec<&&Footprint> = found.iter().filter(|f| f.spec.steps > 2).collect();
    let spread = match repeated.iter().map(|f| f.spread).max() {
        Some(bytes) => format!("these differ by at most {} bytes", grouped(bytes)),
        None => "one step is weighed".to_string(),
    };
    let (standing, step) = (all_of::<StandingBytes>(), all_of::<StepBytes>());
    format!(
        "- **What is counted:** {}. 1 MiB = 2^20 bytes. Optimiser: {optimizer}.\n\
         - **One measurement** is a fresh process: network, rule and optimiser are built, a first step on a few \
         samples makes the optimiser's state, the others are weighed, and the largest stands ({}). Images are noise: \
         memory depends on shapes, not on values.\n\
         - **Between steps** {standing}; each is what its owner frees when it is dropped.\n\
         - **The step's peak** is the most that a step holds above these: {step}. **Total** is \
         the sum of everything, the peak of training. In brackets, and as bytes a layer: \
         what each layer more adds between the two deepest networks; a shallower one may have its peak elsewhere. \
         Parts are those of the moment of the peak, which may be another in another network. **(BP)** marks a point \
         with one unit.\n\
         - **Theory** is `LearningRule::memory`, from shapes alone; its deviation is that of the step's peak. It \
         leaves out what a library's convolution needs for itself.\n\
         - **MACs** are analytic, projections and feedback and their way back included; *counted* is what a step did, \
         counted at every matrix product and convolution. Seconds are of one thread, with \
         other work on the machine: an order of magnitude. **RSS** is `VmHWM`, the process's own peak, program and \
         allocator's slack included.\n",
        meter.trim_end_matches('.'),
        spread
    )
}

/// What is in each category, as part of a sentence.
fn all_of<B: ByCategory>() -> String {
    let all: Vec<&str> = B::CATEGORIES.iter().map(|category| category.about).collect();
    match all.split_last() {
        Some((last, [])) => last.to_string(),
        Some((last, before)) => format!("{}, and {last}", before.join(", ")),
        None => String::new(),
    }
}

/// `Notes`; nothing if there are none.
pub fn notes(notes: &[String]) -> String {
    match notes.is_empty() {
        true => String::new(),
        false => {
            let lines: String = notes.iter().map(|note| format!("- {}\n", note.replace('\n', " "))).collect();
            format!("\n## Notes\n\n{lines}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::memory::example::footprint;

    #[test]
    fn the_origin_names_machine_versions_and_command_once() {
        let (a, b) = (footprint("bp", 2, 100), footprint("sll", 2, 100));
        let line = origin(&[&a, &b], "harness x");
        assert_eq!(line.matches("A processor").count(), 1);
        assert!(line.contains("0.1.0 (abc1234)") && line.contains("2 measurements · `harness x`"), "{line}");
    }

    #[test]
    fn definitions_say_what_is_counted() {
        let text = definitions(&[&footprint("bp", 2, 100)]);
        assert!(text.contains("bytes of live tensors. 1 MiB") && text.contains("differ by at most 0 bytes"), "{text}");
        for part in [
            "- **Between steps** live parameters, the optimiser's state, what the rule keeps fixed (R, B, heads), and",
            "(the batch too), gradients of parameters, and workspace (temporaries of forward, backward and optimiser).",
        ] {
            assert!(text.contains(part), "no {part:?} in:\n{text}");
        }
        assert_eq!((notes(&[]), percent(-0.5)), (String::new(), "-0.50 %".into()));
    }
}
