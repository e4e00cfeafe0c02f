//! Why a GPU cannot be used, from what the machine tells.

use std::path::Path;
use std::process::Command;

/// What is known about the way from LibTorch to one card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether the LibTorch in use has its CUDA half.
    pub cuda_build: bool,
    /// The CUDA version it was made with, as `1000 major + 10 minor`; 0 if it does not tell.
    pub cuda_version: i64,
    /// Cards it sees.
    pub visible: usize,
    /// Whether the kernel has NVIDIA's driver.
    pub driver_loaded: bool,
    /// What nvidia-smi lists, one line a card; nothing where it is missing or fails.
    pub listed: Option<Vec<String>>,
    /// `CUDA_VISIBLE_DEVICES`.
    pub visible_devices: Option<String>,
    /// What LibTorch said when it was asked for a tensor on the card, if it was.
    pub refusal: Option<String>,
}

impl Facts {
    /// Asks the machine; `libtorch` gives the first three.
    pub fn gather(libtorch: (bool, i64, usize), refusal: Option<String>) -> Self {
        let (cuda_build, cuda_version, visible) = libtorch;
        Self {
            cuda_build,
            cuda_version,
            visible,
            driver_loaded: ["/proc/driver/nvidia/version", "/dev/dxg"].iter().any(|path| Path::new(path).exists()),
            listed: nvidia_smi("name,compute_cap,memory.total,memory.free,driver_version", None)
                .map(|text| text.lines().map(str::to_owned).collect()),
            visible_devices: std::env::var("CUDA_VISIBLE_DEVICES").ok(),
            refusal,
        }
    }

    /// What stands in the way of card `number`, and what to do about it.
    pub fn explain(&self, number: usize) -> String {
        let listed = self.listed.as_deref().unwrap_or(&[]);
        let said = self.refusal.as_deref().unwrap_or("nothing");
        if !self.cuda_build {
            let card = if listed.is_empty() { "" } else { ", though nvidia-smi lists a GPU" };
            return format!(
                "this build's LibTorch is for the CPU only{card}; build again after `eval \"$(scripts/libtorch.sh \
                 --cuda)\"`"
            );
        }
        if self.visible == 0 {
            return self.explain_none(listed, said);
        }
        if number >= self.visible {
            let last = self.visible - 1;
            let list =
                self.visible_devices.as_ref().map_or(String::new(), |list| format!(" (CUDA_VISIBLE_DEVICES={list})"));
            return format!("there is no GPU {number}: this process sees cuda:0 to cuda:{last}{list}");
        }
        if said.contains("no kernel image") || said.contains("not compatible") {
            return format!(
                "LibTorch has no code for this card ({}): {said}; use a LibTorch made for its compute capability",
                listed.join("; ")
            );
        }
        if is_out_of_memory(said) {
            return format!("GPU {number} is full: {said}; see in `nvidia-smi` who uses it, or take another one");
        }
        format!("LibTorch cannot use GPU {number}: {said}; look at `nvidia-smi`, or use --device flex or cpu-tch")
    }

    /// Why LibTorch sees no card at all.
    fn explain_none(&self, listed: &[String], said: &str) -> String {
        if said.contains("driver") && said.contains("too old") {
            return format!("the NVIDIA driver is too old for CUDA {}: {said}; update it", self.cuda_name());
        }
        if let Some(list) = self.visible_devices.as_ref().filter(|list| hides_all(list, listed.len())) {
            return format!("CUDA_VISIBLE_DEVICES={list} hides every GPU from this process; change or unset it");
        }
        if !self.driver_loaded {
            return "no NVIDIA driver is loaded (neither /proc/driver/nvidia nor WSL's /dev/dxg); install the driver, \
                    start the container with its GPUs (docker: --gpus all), or use a machine that has a GPU"
                .into();
        }
        match listed.first() {
            None => format!(
                "there is an NVIDIA driver, but neither LibTorch nor nvidia-smi finds a GPU (LibTorch says: {said}); \
                 ask for one from your scheduler or container runtime"
            ),
            Some(card) => format!(
                "LibTorch finds no GPU although nvidia-smi lists {card} (name, compute capability, memory, driver): \
                 the driver may be too old for CUDA {}, or a part of it does not run (nvidia-uvm, the fabric manager, \
                 MIG without instances); LibTorch says: {said}",
                self.cuda_name()
            ),
        }
    }

    fn cuda_name(&self) -> String {
        match self.cuda_version {
            0 => "of unknown version".into(),
            version => format!("{}.{}", version / 1000, version % 1000 / 10),
        }
    }
}

/// Whether `CUDA_VISIBLE_DEVICES=list` leaves none of `cards`: it is empty, or starts with a number that is none of
/// theirs.
fn hides_all(list: &str, cards: usize) -> bool {
    let first = list.split(',').next().unwrap_or("").trim();
    first.is_empty() || first.parse::<i64>().is_ok_and(|number| number < 0 || (cards > 0 && number >= cards as i64))
}

/// What nvidia-smi calls the card that LibTorch calls `number`, CUDA_DEVICE_ORDER=PCI_BUS_ID given.
fn name_for_smi(number: usize, visible: Option<&str>) -> String {
    let chosen = visible.and_then(|list| list.split(',').nth(number)).map(str::trim).filter(|name| !name.is_empty());
    chosen.map_or_else(|| number.to_string(), str::to_owned)
}

/// What nvidia-smi tells about all cards, or about LibTorch's number `card`.
pub fn nvidia_smi(fields: &str, card: Option<usize>) -> Option<String> {
    let mut command = Command::new("nvidia-smi");
    command.args([&format!("--query-gpu={fields}"), "--format=csv,noheader"]);
    if let Some(card) = card {
        command.args(["-i", &name_for_smi(card, std::env::var("CUDA_VISIBLE_DEVICES").ok().as_deref())]);
    }
    let told = command.output().ok().filter(|out| out.status.success())?;
    Some(String::from_utf8_lossy(&told.stdout).trim().to_owned()).filter(|text| !text.is_empty())
}

/// Whether LibTorch says with `text` that there is no memory left.
pub fn is_out_of_memory(text: &str) -> bool {
    const SAID: [&str; 5] = [
        "CUDA out of memory",
        "CUDA error: out of memory",
        "can't allocate memory",
        "CUBLAS_STATUS_ALLOC_FAILED",
        "CUDNN_STATUS_ALLOC_FAILED",
    ];
    SAID.iter().any(|said| text.contains(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    const H100: &str = "NVIDIA H100 80GB HBM3, 9.0, 81559 MiB, 81000 MiB, 570.86.15";

    fn facts() -> Facts {
        Facts {
            cuda_build: true,
            cuda_version: 12080,
            visible: 1,
            driver_loaded: true,
            listed: Some(vec![H100.into()]),
            ..Facts::default()
        }
    }

    #[test]
    fn each_gap_between_libtorch_and_a_card_is_named_with_its_remedy() {
        let told = |facts: Facts, number, parts: &[&str]| {
            let text = facts.explain(number);
            parts.iter().for_each(|part| assert!(text.contains(part), "no `{part}` in: {text}"));
        };
        told(Facts { cuda_build: false, ..facts() }, 0, &["CPU only", "nvidia-smi lists a GPU", "libtorch.sh --cuda"]);
        told(
            Facts { driver_loaded: false, visible: 0, listed: None, ..facts() },
            0,
            &["no NVIDIA driver", "--gpus all"],
        );
        told(Facts { visible: 0, listed: None, ..facts() }, 0, &["nor nvidia-smi finds a GPU"]);
        told(Facts { visible: 0, ..facts() }, 0, &["570.86.15", "too old for CUDA 12.8", "fabric manager"]);
        // As under Slurm, which always sets the variable.
        let slurm = || Facts { visible: 0, visible_devices: Some("0".into()), ..facts() };
        let old = "The NVIDIA driver on your system is too old (found version 11040)";
        told(Facts { refusal: Some(old.into()), ..slurm() }, 0, &["too old for CUDA 12.8", "11040"]);
        told(slurm(), 0, &["although nvidia-smi lists NVIDIA H100"]);
        for list in ["", "-1", "4"] {
            told(Facts { visible_devices: Some(list.into()), ..slurm() }, 0, &["hides every GPU", "unset it"]);
        }
        // A container without nvidia-smi in which LibTorch works.
        told(Facts { listed: None, driver_loaded: false, ..facts() }, 1, &["no GPU 1", "cuda:0 to cuda:0"]);
        assert_eq!(
            [name_for_smi(0, Some("3,1")), name_for_smi(1, Some("3,1")), name_for_smi(2, None)],
            ["3", "1", "2"]
        );
        told(facts(), 3, &["no GPU 3", "cuda:0 to cuda:0"]);
        let old = "CUDA error: no kernel image is available for execution on the device";
        told(
            Facts { refusal: Some(old.into()), ..facts() },
            0,
            &["no code for this card (NVIDIA H100", "no kernel image"],
        );
        let full = "CUDA out of memory. Tried to allocate 2.00 MiB";
        told(Facts { refusal: Some(full.into()), ..facts() }, 0, &["GPU 0 is full", "Tried to allocate"]);
        told(Facts { refusal: Some("CUDA error: out of memory".into()), ..facts() }, 0, &["GPU 0 is full"]);
        told(
            Facts { refusal: Some("CUDA error: unknown".into()), ..facts() },
            0,
            &["CUDA error: unknown", "--device flex"],
        );
    }
}
