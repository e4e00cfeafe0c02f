//! Devices by name, as specs and the command line have them.

use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Where tensors live and who computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum DeviceName {
    /// The processor, in pure Rust.
    #[default]
    Flex,
    /// The processor, by LibTorch.
    CpuTch,
    /// The GPU of this number, by LibTorch.
    Cuda(usize),
}

impl DeviceName {
    /// The GPU's number, if it is one.
    pub fn card(self) -> Option<usize> {
        match self {
            DeviceName::Cuda(number) => Some(number),
            DeviceName::Flex | DeviceName::CpuTch => None,
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            DeviceName::Flex => f.pad("flex"),
            DeviceName::CpuTch => f.pad("cpu-tch"),
            DeviceName::Cuda(number) => f.pad(&format!("cuda:{number}")),
        }
    }
}

impl FromStr for DeviceName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        // One card has one name: `cuda:+1` or `cuda:01` would make other runs of it.
        let card = |name: &str| {
            let number: usize = name.strip_prefix("cuda:")?.parse().ok()?;
            Some(DeviceName::Cuda(number)).filter(|device| device.to_string() == name)
        };
        match name {
            "flex" => Ok(DeviceName::Flex),
            "cpu-tch" => Ok(DeviceName::CpuTch),
            _ => card(name).ok_or_else(|| {
                Error::Input(format!(
                    "unknown device `{name}`: choose `flex` (pure Rust, CPU), `cpu-tch` (LibTorch, CPU) or `cuda:N` \
                     (LibTorch, GPU number N)"
                ))
            }),
        }
    }
}

impl TryFrom<String> for DeviceName {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        name.parse()
    }
}

impl From<DeviceName> for String {
    fn from(device: DeviceName) -> String {
        device.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_one_name_and_comes_back_from_it() {
        for device in [DeviceName::Flex, DeviceName::CpuTch, DeviceName::Cuda(0), DeviceName::Cuda(12)] {
            assert_eq!(device.to_string().parse::<DeviceName>().unwrap(), device);
        }
        for wrong in ["gpu", "cuda", "cuda:", "cuda:+1", "cuda:01", "Flex", ""] {
            let error = wrong.parse::<DeviceName>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{wrong}`")) && error.contains("`cuda:N`"), "{error}");
        }
    }
}
