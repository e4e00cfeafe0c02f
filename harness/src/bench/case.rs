//! The networks that are measured.

use crate::error::{Error, Result};
use crate::spec::{DeviceName, MemorySpec};
use crate::suggest::did_you_mean;
use baselines::{RuleInfo, RuleSpec};
use sll_core::network::catalogue;
use sll_core::optim::OptimizerKind;
use sll_core::{Network, NetworkSpec};

/// A network with the size of its step.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its name in the catalogue, whose usual image and classes it has.
    pub network: &'static str,
    /// Samples a step.
    pub batch: usize,
    /// Batch norm after convolutions.
    pub batch_norm: bool,
}

/// Every network of the table: the paper's MLPs, its convolutional network for small images, the appendix's, its
/// transformer.
pub const CASES: [Case; 5] = [
    Case { network: "mlp-2x800", batch: 128, batch_norm: false },
    Case { network: "mlp-3x1000", batch: 128, batch_norm: false },
    Case { network: "cnn-1", batch: 128, batch_norm: true },
    Case { network: "cnn-small", batch: 128, batch_norm: false },
    Case { network: "vit-7", batch: 16, batch_norm: false },
];

impl Case {
    /// Channels, height and width of an image, and the number of classes.
    pub fn input(&self) -> ([usize; 3], usize) {
        catalogue().iter().find(|named| named.name == self.network).expect("a case is of the catalogue").usual
    }

    /// A step of `rule` with Adam.
    pub fn spec(&self, rule: RuleSpec, device: DeviceName, threads: usize) -> MemorySpec {
        let (image, classes) = self.input();
        MemorySpec {
            network: NetworkSpec { batch_norm: self.batch_norm.into(), ..NetworkSpec::named(self.network) },
            image,
            classes,
            batch: self.batch,
            rule,
            optimizer: OptimizerKind::Adam,
            momentum: 0.0,
            steps: 2,
            threads,
            device,
        }
    }

    /// For people: `cnn-1, batch norm, 1x28x28, batch 128`.
    pub fn title(&self) -> String {
        let ([c, h, w], _) = self.input();
        let norm = if self.batch_norm { ", batch norm" } else { "" };
        format!("{}{norm}, {c}x{h}x{w}, batch {}", self.network, self.batch)
    }
}

/// The products of a forward pass of `net` on a batch: rows, inner size and columns of each affine map, from its work.
pub fn products(net: &mut Network, batch: usize) -> Vec<[usize; 3]> {
    let costs = net.costs();
    let mut shapes = Vec::new();
    for (slots, cost) in net.weights().into_iter().zip(costs) {
        let matrices: Vec<[usize; 2]> = slots.iter().map(|slot| slot.rows().dims()).collect();
        let values: usize = matrices.iter().map(|[m, n]| m * n).sum();
        // Every map of a layer runs on as many rows: one a sample, a place of a map, or a token.
        let rows = batch * (cost.forward as usize / values.max(1)).max(1);
        shapes.extend(matrices.into_iter().map(|[m, n]| [rows, n, m]));
    }
    shapes
}

/// The named ones of `all`, in its order; none named means all. A wrong name is an error with the right ones.
fn chosen<T: Copy>(flag: &str, all: &[T], names: &[String], name: impl Fn(&T) -> Vec<String>) -> Result<Vec<T>> {
    let is = |item: &T, wanted: &String| name(item).iter().any(|name| name.eq_ignore_ascii_case(wanted));
    if let Some(wrong) = names.iter().find(|wanted| !all.iter().any(|item| is(item, wanted))) {
        let known: Vec<String> = all.iter().filter_map(|item| name(item).into_iter().next()).collect();
        let close = did_you_mean(wrong, known.iter().map(String::as_str));
        return Err(Error::Input(format!("`{flag} {wrong}`: unknown; choose of {}{close}", known.join("; "))));
    }
    Ok(all.iter().copied().filter(|item| names.is_empty() || names.iter().any(|wanted| is(item, wanted))).collect())
}

/// The networks called `names`, or all.
pub fn networks(names: &[String]) -> Result<Vec<Case>> {
    chosen("--networks", &CASES, names, |case| vec![case.network.to_string()])
}

/// The rules called `names`, by title or by name in specs, or all; BP, which the others are set against, is always
/// first.
pub fn rules(names: &[String]) -> Result<Vec<RuleInfo>> {
    let by = |info: &RuleInfo| vec![info.title.to_string()];
    let mut rules = chosen("--rule", baselines::rules(), names, by)?;
    if rules.iter().all(|info| info.title != "BP") {
        rules.insert(0, baselines::rules()[0]);
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn a_forward_pass_is_its_products() {
        let net = |spec: NetworkSpec, image| spec.build(image, 10, 0, &Device::flex()).unwrap();
        let mut mlp = net(NetworkSpec { width: Some(32), ..NetworkSpec::named("mlp-2x800") }, [1, 8, 8]);
        assert_eq!(products(&mut mlp, 6), [[6, 64, 32], [6, 32, 32], [6, 32, 10]]);
        let mut cnn = net(NetworkSpec { width: Some(4), ..NetworkSpec::named("cnn-small") }, [3, 8, 8]);
        assert_eq!(products(&mut cnn, 2)[..2], [[2 * 64, 27, 4], [2 * 16, 36, 8]]);
        for case in CASES {
            let mut net = case.spec(baselines::rules()[0].settings, DeviceName::Flex, 1).network;
            net.width = Some(24);
            let mut net = net.build(case.input().0, case.input().1, 0, &Device::flex()).unwrap();
            let forward: u64 = net.costs().iter().map(|cost| cost.forward).sum();
            let sum: usize = products(&mut net, 1).iter().map(|[a, b, c]| a * b * c).sum();
            // Attention multiplies without weights, and a head runs on one token.
            let share = sum as f64 / forward as f64;
            assert!((0.5..1.2).contains(&share), "{}: {share}", case.network);
        }
    }

    #[test]
    fn names_choose_and_mistakes_are_told_with_the_right_ones() {
        let names = |names: &[&str]| names.iter().map(std::string::ToString::to_string).collect::<Vec<_>>();
        assert_eq!(networks(&[]).unwrap().len(), CASES.len());
        assert_eq!(
            rules(&names(&["sll", "FA"])).unwrap().iter().map(|r| r.title).collect::<Vec<_>>(),
            ["BP", "FA", "SLL"]
        );
        assert!(networks(&names(&["mlp"])).unwrap_err().to_string().contains("mlp-2x800; mlp-3x1000"));
        assert!(rules(&names(&["slll"])).unwrap_err().to_string().contains("PEPITA"));
    }
}
