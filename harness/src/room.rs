//! Whether a run's memory fits in this machine, asked before it starts: the end of memory on flex is the end of the process,
//! without a word of ours.

use crate::error::{Error, Result};
use sll_core::optim::OptimizerConfig;
use sll_core::rule::LearningRule;
use sll_core::{Network, NetworkSpec};
use std::path::Path;

const GIB: f64 = (1u64 << 30) as f64;

/// Bytes that a process may still take here: what the system says is available, and less where a control group allows
/// less. `None` where neither tells.
pub fn available() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|info| in_meminfo(&info));
    machine.into_iter().chain(in_group(Path::new("/sys/fs/cgroup"))).min()
}

fn in_meminfo(info: &str) -> Option<u64> {
    let kib = info.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB"))?;
    kib.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// What the control group mounted at `root` has left: its limit less what is in use and cannot be given back.
fn in_group(root: &Path) -> Option<u64> {
    let number = |file: &str| std::fs::read_to_string(root.join(file)).ok()?.trim().parse::<u64>().ok();
    // Version 2, then version 1.
    let (limit, used, stat) = match number("memory.max") {
        Some(limit) => (limit, number("memory.current")?, "memory.stat"),
        None => {
            (number("memory/memory.limit_in_bytes")?, number("memory/memory.usage_in_bytes")?, "memory/memory.stat")
        }
    };
    let stat = std::fs::read_to_string(root.join(stat)).unwrap_or_default();
    let cached = stat.lines().find_map(|line| {
        let (key, bytes) = line.split_once(' ')?;
        matches!(key, "inactive_file" | "total_inactive_file").then(|| bytes.trim().parse::<u64>().ok())?
    });
    Some(limit.saturating_sub(used.saturating_sub(cached.unwrap_or(0))))
}

/// Refuses a run whose analytic bytes are more than this machine has. Rules and layers without a model are let through, and
/// so are cards, whose library tells by itself.
pub fn check(
    device: &str,
    (net, rule): (&Network, &dyn LearningRule),
    batch: usize,
    optimizer: &OptimizerConfig,
) -> Result<()> {
    if device.starts_with("cuda") {
        return Ok(());
    }
    let model = rule.memory(net, batch, optimizer);
    // Parameters are here already.
    let need = model.map(|model| model.total() - model.parameters);
    fits(need, available(), "this run", "a smaller --batch or --width, fewer --jobs at once")
}

/// Refuses a network whose weights alone are more than this machine has, before it is built: on the host, where they are drawn.
pub fn check_weights(network: &NetworkSpec, image: [usize; 3], classes: usize) -> Result<()> {
    let need = u64::try_from(network.values(image, classes)?.saturating_mul(4)).unwrap_or(u64::MAX);
    fits(Some(need), available(), "the network's weights alone", "a smaller --width or --depth")
}

fn fits(need: Option<u64>, available: Option<u64>, what: &str, instead: &str) -> Result<()> {
    match (need, available) {
        (Some(need), Some(available)) if need > available => Err(Error::Missing(format!(
            "{what} would take about {:.1} GiB more and this machine has {:.1} GiB available; take {instead}, or another \
             machine (`harness memory` weighs one step)",
            need as f64 / GIB,
            available as f64 / GIB
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_available_is_read_from_the_system_and_from_control_groups_of_both_versions() {
        assert_eq!(in_meminfo("MemTotal: 9 kB\nMemAvailable:   12345 kB\n"), Some(12345 * 1024));
        assert_eq!(in_meminfo("MemTotal: 9 kB\n"), None);
        let root = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| std::fs::write(root.path().join(file), text).unwrap();
        assert_eq!(in_group(root.path()), None);
        std::fs::create_dir(root.path().join("memory")).unwrap();
        write("memory/memory.limit_in_bytes", "1000\n");
        write("memory/memory.usage_in_bytes", "300\n");
        assert_eq!(in_group(root.path()), Some(700));
        write("memory/memory.stat", "cache 5\ntotal_inactive_file 100\n");
        assert_eq!(in_group(root.path()), Some(800));
        write("memory.max", "2000\n");
        write("memory.current", "2500\n");
        write("memory.stat", "anon 5\ninactive_file 600\n");
        assert_eq!(in_group(root.path()), Some(100));
        write("memory.max", "max\n");
        assert_eq!(in_group(root.path()), Some(800), "no limit of version 2");
    }

    #[test]
    fn too_large_a_need_is_refused_with_what_to_do() {
        assert!(fits(None, Some(1), "x", "y").is_ok() && fits(Some(9), None, "x", "y").is_ok());
        assert!(fits(Some(5), Some(5), "x", "y").is_ok());
        let error = fits(Some(3 << 30), Some(1 << 30), "this run", "a smaller --batch").unwrap_err();
        assert_eq!(error.exit_code(), 3);
        let text = error.to_string();
        assert!(text.contains("3.0 GiB") && text.contains("1.0 GiB") && text.contains("a smaller --batch"), "{text}");
    }
}
