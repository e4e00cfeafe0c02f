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
            driver_loaded: Path::new("/proc/driver/nvidia/version").exists(),
            listed: nvidia_smi("name,compute_cap,memory.total,memory.free,driver_version", None)
                .map(|text| text.lines().map(str::to_owned).collect()),
            visible_devices: std::env::var("CUDA_VISIBLE_DEVICES").ok(),
            refusal,
        }
    }

    /// What stands in the way of card `number`, and what to do about it.
    pub fn explain(&self, number: usize) -> String {
        let listed = self.listed.as_deref().unwrap_or(&[]);
        if !self.cuda_build {
            let card = if listed.is_empty() { "" } else { ", though nvidia-smi lists a GPU" };
            return format!(
                "this build's LibTorch is for the CPU only{card}; build again after `eval \"$(scripts/libtorch.sh --cuda)\"`"
            );
        }
        if !self.driver_loaded {
            return "no NVIDIA driver is loaded (/proc/driver/nvidia is missing); install the driver, start the container with \
                    its GPUs (docker: --gpus all), or use a machine that has a GPU"
                .into();
        }
        if listed.is_empty() {
            return "the NVIDIA driver is loaded, but nvidia-smi lists no GPU; ask for a GPU from your scheduler or container \
                    runtime, and look at what `nvidia-smi` says"
                .into();
        }
        if let Some(hidden) =
            self.visible_devices.as_ref().filter(|_| self.visible <= number && self.visible < listed.len())
        {
            return format!(
                "there is no GPU {number} for this process: CUDA_VISIBLE_DEVICES={hidden} leaves {} of the machine's {}; \
                 change it or take a lower number",
                self.visible,
                listed.len()
            );
        }
        if self.visible == 0 {
            let driver = listed[0].rsplit(", ").next().unwrap_or("of unknown version");
            return format!(
                "LibTorch finds no GPU although nvidia-smi lists {}: driver {driver} may be too old for CUDA {}; update it, or use a \
                 LibTorch made for an older CUDA",
                listed[0],
                self.cuda_name()
            );
        }
        if number >= self.visible {
            let last = self.visible - 1;
            return format!("there is no GPU {number}: this machine's are cuda:0 to cuda:{last}");
        }
        let said = self.refusal.as_deref().unwrap_or("nothing");
        if said.contains("no kernel image") || said.contains("not compatible") {
            return format!(
                "LibTorch has no code for {} (second: compute capability); its CUDA {} wheels start with 7.5; use a LibTorch made for \
                 that card",
                listed[number.min(listed.len() - 1)],
                self.cuda_name()
            );
        }
        if is_out_of_memory(said) {
            return format!("GPU {number} is full: {said}; see in `nvidia-smi` who uses it, or take another one");
        }
        format!("LibTorch cannot use GPU {number}: {said}; look at `nvidia-smi`, or use --device flex or cpu-tch")
    }

    fn cuda_name(&self) -> String {
        match self.cuda_version {
            0 => "of unknown version".into(),
            version => format!("{}.{}", version / 1000, version % 1000 / 10),
        }
    }
}

/// What nvidia-smi tells about all cards, or one.
pub fn nvidia_smi(fields: &str, card: Option<usize>) -> Option<String> {
    let mut command = Command::new("nvidia-smi");
    command.args([&format!("--query-gpu={fields}"), "--format=csv,noheader"]);
    if let Some(card) = card {
        command.args(["-i", &card.to_string()]);
    }
    let told = command.output().ok().filter(|out| out.status.success())?;
    Some(String::from_utf8_lossy(&told.stdout).trim().to_owned()).filter(|text| !text.is_empty())
}

/// Whether LibTorch says with `text` that there is no memory left.
pub fn is_out_of_memory(text: &str) -> bool {
    text.contains("CUDA out of memory") || text.contains("can't allocate memory")
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
        told(Facts { visible: 0, listed: None, ..facts() }, 0, &["lists no GPU"]);
        told(Facts { visible: 0, ..facts() }, 0, &["570.86.15", "too old for CUDA 12.8"]);
        let hidden = Facts { visible: 0, visible_devices: Some(String::new()), ..facts() };
        told(hidden, 0, &["CUDA_VISIBLE_DEVICES= leaves 0 of the machine's 1"]);
        told(facts(), 3, &["no GPU 3", "cuda:0 to cuda:0"]);
        let old = "CUDA error: no kernel image is available for execution on the device";
        told(Facts { refusal: Some(old.into()), ..facts() }, 0, &["no code for NVIDIA H100", "7.5"]);
        let full = "CUDA out of memory. Tried to allocate 2.00 MiB";
        told(Facts { refusal: Some(full.into()), ..facts() }, 0, &["GPU 0 is full", "Tried to allocate"]);
        told(
            Facts { refusal: Some("CUDA error: unknown".into()), ..facts() },
            0,
            &["CUDA error: unknown", "--device flex"],
        );
    }
}
