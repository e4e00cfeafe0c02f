//! Whether a run's memory fits in this machine, asked before it starts: the end of memory on flex is the end of the
//! process, without a word of ours.

use crate::error::{Error, Result};
use crate::spec::DeviceName;
use crate::units::GIB;
use sll_core::optim::OptimizerConfig;
use sll_core::rule::LearningRule;
use sll_core::{Network, NetworkSpec};
use std::path::{Path, PathBuf};

/// Bytes that a process may still take here: what the system says is available, and less where a control group or this
/// process's own limit (`ulimit -v`) allows less. `None` where none of them tells.
pub fn available() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let groups = folders(&read("/proc/self/cgroup"), Path::new("/sys/fs/cgroup"));
    let own = in_limits(&read("/proc/self/limits"), &read("/proc/self/status"));
    let told = in_meminfo(&read("/proc/meminfo")).into_iter().chain(own);
    told.chain(groups.iter().filter_map(|folder| in_group(folder))).min()
}

/// The number of KiB in the line of `text` that begins with `key`, in bytes.
fn kib(text: &str, key: &str) -> Option<u64> {
    let kib = text.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_suffix(" kB"))?;
    kib.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn in_meminfo(info: &str) -> Option<u64> {
    kib(info, "MemAvailable:")
}

/// What the limit on this process's address space leaves.
fn in_limits(limits: &str, status: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    let most = line.split_whitespace().next()?.parse::<u64>().ok()?;
    Some(most.saturating_sub(kib(status, "VmSize:")?))
}

/// Where the control groups of this process, and all that they are in, tell about memory, below `root`. What a
/// container does not see of them has no folder.
fn folders(groups: &str, root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        // Version 2 has no list of controllers and may have a folder of its own beside version 1's.
        let mounts: &[&str] = match controllers {
            "" => &["", "unified"],
            list if list.split(',').any(|name| name == "memory") => &["memory"],
            _ => continue,
        };
        for mount in mounts {
            let mount = root.join(mount);
            found.extend(Path::new(path.trim_start_matches('/')).ancestors().map(|group| mount.join(group)));
        }
    }
    found
}

/// What the control group at `folder` has left: its limit less what is in use and cannot be given back.
fn in_group(folder: &Path) -> Option<u64> {
    let number = |file: &str| std::fs::read_to_string(folder.join(file)).ok()?.trim().parse::<u64>().ok();
    // Version 2, then version 1.
    let (limit, used) = match number("memory.max") {
        Some(limit) => (limit, number("memory.current")?),
        None => (number("memory.limit_in_bytes")?, number("memory.usage_in_bytes")?),
    };
    let stat = std::fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let cached = |name: &str| {
        stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse::<u64>().ok())
    };
    // Version 1 has the total of all groups below beside the group's own.
    let cached = cached("total_inactive_file").or_else(|| cached("inactive_file"));
    Some(limit.saturating_sub(used.saturating_sub(cached.unwrap_or(0))))
}

/// Refuses a run of steps of `batch` samples, `at_once` of them at a time, whose analytic bytes are more than this
/// machine has. Rules and layers without a model are let through, and so are cards, whose library tells by itself.
pub fn check(
    device: DeviceName,
    net: &Network,
    rule: &dyn LearningRule,
    batch: usize,
    optimizer: &OptimizerConfig,
    at_once: usize,
) -> Result<()> {
    if device.card().is_some() {
        return Ok(());
    }
    let model = rule.memory(net, batch, optimizer);
    // Parameters are here already.
    let more = at_once.saturating_sub(1) as u64;
    let need = model.map(|model| model.total() - model.standing.parameters + more * model.step.total());
    fits(need, available(), "this run", "a smaller --batch or --width, fewer --jobs at once")
}

/// Refuses a network whose weights alone are more than this machine has, before it is built: on the host, where they
/// are drawn.
pub fn check_weights(network: &NetworkSpec, image: [usize; 3], classes: usize) -> Result<()> {
    let need = u64::try_from(network.values(image, classes)?.saturating_mul(4)).unwrap_or(u64::MAX);
    fits(Some(need), available(), "the network's weights alone", "a smaller --width or --depth")
}

fn fits(need: Option<u64>, available: Option<u64>, what: &str, instead: &str) -> Result<()> {
    match (need, available) {
        (Some(need), Some(available)) if need > available => Err(Error::Missing(format!(
            "{what} would take about {:.1} GiB more and this machine has {:.1} GiB available; take {instead}, or \
             another machine (`harness memory` weighs one step)",
            need as f64 / GIB,
            available as f64 / GIB
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "VmPeak: 9 kB\nVmSize:\t   3 kB\n";

    #[test]
    fn what_is_available_is_read_from_the_system_and_from_control_groups_of_both_versions() {
        assert_eq!(in_meminfo("MemTotal: 9 kB\nMemAvailable:   12345 kB\n"), Some(12345 * 1024));
        assert_eq!(in_meminfo("MemTotal: 9 kB\n"), None);
        assert_eq!(
            in_limits("Max cpu time 1 1 s\nMax address space   5000   unlimited   bytes\n", STATUS),
            Some(5000 - 3072)
        );
        assert_eq!(in_limits("Max address space   unlimited   unlimited   bytes\n", STATUS), None);
        let root = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| std::fs::write(root.path().join(file), text).unwrap();
        assert_eq!(in_group(root.path()), None);
        write("memory.limit_in_bytes", "1000\n");
        write("memory.usage_in_bytes", "300\n");
        assert_eq!(in_group(root.path()), Some(700));
        write("memory.stat", "cache 5\ninactive_file 7\ntotal_inactive_file 100\n");
        assert_eq!(in_group(root.path()), Some(800));
        write("memory.max", "2000\n");
        write("memory.current", "2500\n");
        write("memory.stat", "anon 5\ninactive_file 600\n");
        assert_eq!(in_group(root.path()), Some(100));
        write("memory.max", "max\n");
        write("memory.stat", "total_inactive_file 100\n");
        assert_eq!(in_group(root.path()), Some(800), "no limit of version 2");
    }

    #[test]
    fn the_groups_that_a_process_is_in_are_found_with_all_that_they_are_in() {
        let found = |groups: &str| {
            let folders = folders(groups, Path::new("/g")).into_iter();
            folders.map(|folder| folder.display().to_string().trim_end_matches('/').to_string()).collect::<Vec<_>>()
        };
        let slurm = ["/g/memory/slurm/job_1", "/g/memory/slurm", "/g/memory"];
        assert_eq!(found("5:cpu,memory:/slurm/job_1\n4:pids:/other\n"), slurm);
        let slice = ["/g/a.slice/b", "/g/a.slice", "/g", "/g/unified/a.slice/b", "/g/unified/a.slice", "/g/unified"];
        assert_eq!(found("0::/a.slice/b\n"), slice);
        assert_eq!(found("0::/\n"), ["/g", "/g/unified"]);
        assert_eq!(found("nonsense\n\n"), [""; 0]);
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
