//! Networks by name, with depth, width and input size as parameters.

use super::cnn::{CnnConfig, Plan};
use super::mlp::MlpConfig;
use super::{Network, vit};
use crate::error::{Error, Result};
use crate::is_default;
use crate::layer::{Activation, BatchNormAt, Bias, Hidden, Initial, Start};
use crate::output::OutputLoss;
use crate::precision::Precision;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// A network by name. Settings left out take the named network's own value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSpec {
    /// One of [`catalogue`].
    pub name: String,
    /// Hidden layers, convolutions or encoder blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// Hidden units, channels of the first convolution (the others scale alike), or width of a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// Probability of zeroing a hidden dense unit in training.
    #[serde(default)]
    pub dropout: f64,
    /// Where every convolution has batch norm, of an MLP every hidden layer: `false`, `true` (between the affine map
    /// and the activation), `"before"` (before the map, on its input) or `"after"` (behind the activation).
    #[serde(default)]
    pub batch_norm: BatchNormAt,
    /// The pointwise function of hidden layers; transformers have their own.
    #[serde(default)]
    pub activation: Activation,
    /// The law of initial weights, the classifier's included; transformers have PyTorch's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub initial: Initial,
    /// The law of the classifier's initial weights, where it is another one, like `"zero"`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub output_initial: Option<Initial>,
    /// The bias of affine maps, the classifier's included; transformers have PyTorch's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub bias: Bias,
    /// What the output is trained by.
    #[serde(default, skip_serializing_if = "is_default")]
    pub loss: OutputLoss,
    /// Summarise tokens by their mean in place of a class token.
    #[serde(default)]
    pub mean_token: bool,
    /// Side of a patch in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<usize>,
    /// The number format inside units; `bf16` is for LibTorch's devices.
    #[serde(default, skip_serializing_if = "Precision::is_single")]
    pub precision: Precision,
}

/// A named network.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// Its name.
    pub name: &'static str,
    /// What it is, with its source.
    pub about: &'static str,
    /// Input `[c, h, w]` and classes of the data it is meant for.
    pub usual: ([usize; 3], usize),
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Mlp { width: usize, depth: usize },
    Cnn { plan: fn() -> Plan },
    Vit { patch: usize, blocks: usize, heads: usize, ratio: usize },
}

/// Bounds of what a network is made of, so that no product of sizes leaves its type.
const MOST_LAYERS: usize = 10_000;
const MOST_UNITS: usize = 1_000_000;
const MOST_SIDE: usize = 65_536;

/// The paper's transformers' width.
const VIT_WIDTH: usize = 384;
/// A width that every network can have.
const NARROW: usize = 24;

const NAMED: &[Named] = &[
    Named {
        name: "mlp-2x800",
        about: "MLP 784-800-800-10 (paper A.4.3, MNIST)",
        usual: ([1, 28, 28], 10),
        kind: Kind::Mlp { width: 800, depth: 2 },
    },
    Named {
        name: "mlp-3x1000",
        about: "MLP 3072-1000x3-K (paper A.4.3, CIFAR-10 and CIFAR-100)",
        usual: ([3, 32, 32], 10),
        kind: Kind::Mlp { width: 1000, depth: 3 },
    },
    Named {
        name: "cnn-1",
        about: "64-M-128-M-256-256-M-512-M-K (Table A5, row 1: Fashion-MNIST)",
        usual: ([1, 28, 28], 10),
        kind: Kind::Cnn { plan: Plan::row_1 },
    },
    Named {
        name: "cnn-2",
        about: "256-M-512-M-512-1024-M-1024-M-1024-1024-2048-K (Table A5, row 2: CIFAR)",
        usual: ([3, 32, 32], 100),
        kind: Kind::Cnn { plan: Plan::row_2 },
    },
    Named {
        name: "cnn-3",
        about: "64-M-128-M-256-256-M-512-M-512-1024-K (Table A5, row 3)",
        usual: ([3, 32, 32], 10),
        kind: Kind::Cnn { plan: Plan::row_3 },
    },
    Named {
        name: "cnn-4",
        about: "64-M-128-M-256-256-M-512-M-512-1024-4096-K (Table A5, row 4: Tiny-ImageNet)",
        usual: ([3, 64, 64], 200),
        kind: Kind::Cnn { plan: Plan::row_4 },
    },
    Named {
        name: "cnn-small",
        about: "96-M-192-M-512-avg2x2-1024-K (the LLS paper's small CNN: appendix A.2.1)",
        usual: ([3, 32, 32], 10),
        kind: Kind::Cnn { plan: Plan::small },
    },
    Named {
        name: "cnn-equal",
        about: "64-M-64-64-64-K, equal convolutions (for memory against depth: Figure 2b; not in the paper)",
        usual: ([3, 32, 32], 10),
        kind: Kind::Cnn { plan: Plan::equal },
    },
    Named {
        name: "vit-7",
        about: "ViT, 7 blocks of width 384, 12 heads, MLP x2, patches of 4 (Table A6: CIFAR, Imagenette)",
        usual: ([3, 32, 32], 10),
        kind: Kind::Vit { patch: 4, blocks: 7, heads: 12, ratio: 2 },
    },
    Named {
        name: "vit-12",
        about: "ViT, 12 blocks of width 384, 6 heads, MLP x3, patches of 16 (Table A6: ImageNet)",
        usual: ([3, 224, 224], 1000),
        kind: Kind::Vit { patch: 16, blocks: 12, heads: 6, ratio: 3 },
    },
];

/// Every named network.
pub fn catalogue() -> &'static [Named] {
    NAMED
}

impl NetworkSpec {
    /// The named network as it stands in the paper.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            depth: None,
            width: None,
            dropout: 0.0,
            batch_norm: BatchNormAt::None,
            activation: Activation::Relu,
            initial: Initial::default(),
            output_initial: None,
            bias: Bias::default(),
            loss: OutputLoss::default(),
            mean_token: false,
            patch: None,
            precision: Precision::F32,
        }
    }

    /// Whether its layers see an image as a vector: it is an MLP.
    pub fn sees_vectors(&self) -> bool {
        self.find().is_ok_and(|named| matches!(named.kind, Kind::Mlp { .. }))
    }

    /// Whether it has feature maps: it is convolutional.
    pub fn has_maps(&self) -> bool {
        self.find().is_ok_and(|named| matches!(named.kind, Kind::Cnn { .. }))
    }

    fn find(&self) -> Result<&'static Named> {
        NAMED.iter().find(|n| n.name == self.name).ok_or_else(|| {
            let known: Vec<_> = NAMED.iter().map(|n| n.name).collect();
            Error::setting("network", &self.name, format!("unknown; the networks are {}", known.join(", ")))
        })
    }

    /// Checks the name alone; a wrong one is an error that lists the right ones.
    ///
    /// # Errors
    /// [`Error::Setting`] with the names that there are.
    pub fn check_name(&self) -> Result<()> {
        self.find().map(|_| ())
    }

    /// A setting that the network has no use for is a mistake, not a fact about the run.
    fn refuse_idle_settings(&self, named: &Named) -> Result<()> {
        let (mlp, vit) = (matches!(named.kind, Kind::Mlp { .. }), matches!(named.kind, Kind::Vit { .. }));
        let hidden_dense = mlp || matches!(named.kind, Kind::Cnn { plan } if !plan().dense.is_empty());
        let used = [
            ("dropout", self.dropout == 0.0 || hidden_dense, self.dropout.to_string()),
            ("batch_norm", self.batch_norm.is_none() || !vit, format!("{:?}", self.batch_norm)),
            ("activation", self.activation == Activation::Relu || !vit, format!("{:?}", self.activation)),
            ("initial", is_default(&self.initial) || !vit, format!("{:?}", self.initial)),
            ("output_initial", self.output_initial.is_none() || !vit, format!("{:?}", self.output_initial)),
            ("bias", is_default(&self.bias) || !vit, format!("{:?}", self.bias)),
            ("mean_token", !self.mean_token || vit, self.mean_token.to_string()),
            ("patch", self.patch.is_none() || vit, format!("{:?}", self.patch.unwrap_or_default())),
        ];
        match used.into_iter().find(|(_, fits, _)| !fits) {
            Some((key, _, value)) => {
                Err(Error::setting(key, value, format!("{} has no use for it; leave it out", named.name)))
            }
            None => Ok(()),
        }
    }

    /// Checks that every size lies within its bounds.
    fn check_sizes(&self, image: [usize; 3], classes: usize) -> Result<()> {
        let [c, h, w] = image;
        let sizes = [
            ("depth", self.depth.unwrap_or(1), MOST_LAYERS),
            ("width", self.width.unwrap_or(1), MOST_UNITS),
            ("patch", self.patch.unwrap_or(1), MOST_SIDE),
            ("classes", classes, MOST_UNITS),
            ("input", c, MOST_SIDE),
            ("input", h, MOST_SIDE),
            ("input", w, MOST_SIDE),
        ];
        for (key, value, most) in sizes {
            if !(1..=most).contains(&value) {
                let bound = if value == 0 { "at least 1".to_string() } else { format!("at most {most}") };
                return Err(Error::setting(key, value, format!("must be {bound}")));
            }
        }
        Ok(())
    }

    /// How many trainable values the network has, without building it: of narrow ones of the same depth it is told, for
    /// it is a polynomial of second degree in the width (a rounded one where widths of layers are rounded).
    ///
    /// # Errors
    /// If it cannot be built, for another reason than its width.
    pub fn values(&self, image: [usize; 3], classes: usize) -> Result<u128> {
        self.check_sizes(image, classes)?;
        let usual = match self.find()?.kind {
            Kind::Mlp { width, .. } => width,
            Kind::Cnn { plan } => plan().convs[0].0,
            Kind::Vit { .. } => VIT_WIDTH,
        };
        let width = self.width.unwrap_or(usual) as f64 / NARROW as f64;
        let count = |times: usize| -> Result<f64> {
            let narrow = Self { width: Some(times * NARROW), precision: Precision::F32, ..self.clone() };
            Ok(narrow.build(image, classes, 0, &Device::flex())?.num_params() as f64)
        };
        let (one, two, three) = (count(1)?, count(2)?, count(3)?);
        let square = (three - 2.0 * two + one) / 2.0;
        let line = two - one - 3.0 * square;
        Ok((square * width * width + line * width + one - square - line).max(0.0) as u128)
    }

    /// Builds the network for images `[c, h, w]` of `classes` classes with weights drawn from `seed`, on `device`.
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting that is out of its range, belongs to another network, or does not fit the
    /// image.
    pub fn build(&self, image: [usize; 3], classes: usize, seed: u64, device: &Device) -> Result<Network> {
        let named = self.find()?;
        self.check_sizes(image, classes)?;
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::setting("dropout", self.dropout, "must lie in [0, 1)"));
        }
        self.refuse_idle_settings(named)?;
        if self.initial == Initial::Zero {
            let reason = "hidden units that start alike stay alike; `output_initial` = \"zero\" is the classifier's";
            return Err(Error::setting("initial", "zero", reason));
        }
        let output = Start { weights: self.output_initial.unwrap_or(self.initial), bias: self.bias };
        let device = &device.clone().inner().autodiff();
        let hidden = Hidden {
            activation: self.activation,
            batch_norm: self.batch_norm,
            dropout: self.dropout,
            start: Start { weights: self.initial, bias: self.bias },
        };
        let net = match named.kind {
            Kind::Mlp { width, depth } => {
                let config = MlpConfig {
                    inputs: image.iter().product(),
                    width: self.width.unwrap_or(width),
                    depth: self.depth.unwrap_or(depth),
                    classes,
                    hidden,
                    output,
                };
                config.init(seed, device)
            }
            Kind::Cnn { plan } => {
                let mut plan = plan();
                if let Some(width) = self.width {
                    plan = plan.with_width(width)?;
                }
                if let Some(depth) = self.depth {
                    plan = plan.with_depth(depth)?;
                }
                CnnConfig { input: image, plan: &plan, classes, hidden, output }.init(seed, device)
            }
            Kind::Vit { patch, blocks, heads, ratio } => {
                let sizes = vit::Sizes {
                    patch: self.patch.unwrap_or(patch),
                    width: self.width.unwrap_or(VIT_WIDTH),
                    blocks: self.depth.unwrap_or(blocks),
                    heads,
                    ratio,
                    class_token: !self.mean_token,
                };
                vit::vit(image, sizes, classes, seed, device)
            }
        };
        net?.trained_by(self.loss).in_precision(self.precision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Cut;
    use crate::pass::Pass;
    use burn::tensor::Tensor;

    fn build(spec: &NetworkSpec, image: [usize; 3], classes: usize) -> Network {
        spec.build(image, classes, 1, &Device::flex()).unwrap()
    }

    #[test]
    fn the_papers_mlps_have_their_parameters_and_macs() {
        // 784*800+800 + 800*800+800 + 800*10+10 and learning-rules.md, section 1.8: F = 1.275M and 5.082M
        let small = build(&NetworkSpec::named("mlp-2x800"), [1, 28, 28], 10);
        assert_eq!(small.num_params(), 1_276_810);
        let macs = |n: &Network| n.costs().iter().map(|c| c.forward).sum::<u64>();
        assert_eq!(macs(&small), 784 * 800 + 800 * 800 + 800 * 10);
        let large = build(&NetworkSpec::named("mlp-3x1000"), [3, 32, 32], 10);
        assert_eq!(macs(&large), 5_082_000);
    }

    #[test]
    fn values_are_told_without_building() {
        let told = |name: &str, width, image| {
            let spec = NetworkSpec { width, ..NetworkSpec::named(name) };
            (spec.values(image, 10).unwrap() as f64, build(&spec, image, 10).num_params() as f64)
        };
        for (name, width, image) in [
            ("mlp-2x800", None, [1, 28, 28]),
            ("mlp-3x1000", Some(77), [3, 32, 32]),
            ("vit-7", Some(96), [3, 32, 32]),
            ("cnn-1", None, [1, 28, 28]),
            ("cnn-small", Some(30), [3, 32, 32]),
        ] {
            let (told, exact) = told(name, width, image);
            assert!((told / exact - 1.0).abs() < 0.01, "{name}: {told}, not {exact}");
        }
        let huge = NetworkSpec { width: Some(1_000_000), ..NetworkSpec::named("mlp-2x800") };
        assert_eq!(huge.values([1, 28, 28], 10).unwrap(), 784_000_000 + 1_000_000_000_000 + 10_000_000 + 2_000_010);
    }

    #[test]
    fn sizes_beyond_all_use_are_refused() {
        for (key, spec) in [
            ("width", NetworkSpec { width: Some(usize::MAX), ..NetworkSpec::named("mlp-2x800") }),
            ("depth", NetworkSpec { depth: Some(usize::MAX), ..NetworkSpec::named("cnn-1") }),
            ("patch", NetworkSpec { patch: Some(usize::MAX), ..NetworkSpec::named("vit-7") }),
        ] {
            let error = spec.build([3, 32, 32], 10, 0, &Device::flex()).err().unwrap().to_string();
            assert!(error.contains(&format!("`{key}`")) && error.contains("at most"), "{error}");
        }
    }

    #[test]
    fn table_a5_row_1_has_2_15_million_parameters() {
        let net = build(&NetworkSpec::named("cnn-1"), [1, 28, 28], 10);
        // 3x3 kernels 1-64-128-256-256-512 with biases, 28 -> 14 -> 7 -> 3 -> 1, classifier 512-10
        let convs = [(1, 64), (64, 128), (128, 256), (256, 256), (256, 512)];
        let expected: usize = convs.iter().map(|(c, o)| 9 * c * o + o).sum::<usize>() + 512 * 10 + 10;
        assert_eq!(net.num_params(), expected);
        assert_eq!(net.depth(), 6);
    }

    #[test]
    fn equal_convolutions_stay_equal_at_any_depth() {
        let costs = |depth| {
            let spec = NetworkSpec { depth: Some(depth), width: Some(8), ..NetworkSpec::named("cnn-equal") };
            build(&spec, [3, 16, 16], 10).costs()
        };
        let (shallow, deep) = (costs(2), costs(9));
        assert_eq!((shallow.len(), deep.len()), (3, 10));
        assert!(deep[1..9].iter().all(|cost| *cost == shallow[1]));
        assert_eq!((deep[0], deep[9]), (shallow[0], shallow[2]));
    }

    #[test]
    fn every_named_network_runs_when_narrowed() {
        for named in catalogue() {
            let mut spec = NetworkSpec::named(named.name);
            let ([c, h, w], classes) = named.usual;
            spec.width = Some(match named.kind {
                Kind::Vit { heads, .. } => heads * 2,
                _ => 8,
            });
            if matches!(named.kind, Kind::Vit { .. }) {
                spec.depth = Some(2);
            }
            let net = build(&spec, named.usual.0, classes).valid();
            let x = Tensor::<2>::zeros([2, c * h * w], net.device());
            assert_eq!(net.forward(x, &Pass::Eval).dims(), [2, classes], "{}", named.name);
        }
    }

    #[test]
    fn the_vit_is_cut_between_blocks_only() {
        let mut spec = NetworkSpec::named("vit-7");
        spec.width = Some(24);
        let net = build(&spec, [3, 32, 32], 10);
        assert_eq!(net.units(Cut::Units(3)).unwrap(), vec![0..4, 4..6, 6..9]);
        assert_eq!(net.units(Cut::EveryLayer).unwrap().len(), 7);
        assert_eq!(net.units(Cut::Whole).unwrap(), vec![0..9]);
        assert!(net.units(Cut::Units(8)).unwrap_err().to_string().contains("1 to 7"));
    }

    #[test]
    fn batch_norm_stands_where_the_spec_says() {
        // At its start batch norm is the row of a batch at mean 0 and variance 1, feature by feature.
        let device = Device::flex();
        for (at, place) in [(BatchNormAt::Before, 0), (BatchNormAt::Between, 1), (BatchNormAt::After, 2)] {
            for name in ["mlp-2x800", "cnn-1"] {
                let spec = NetworkSpec {
                    batch_norm: at,
                    depth: Some(1),
                    width: Some(3),
                    activation: Activation::Tanh,
                    ..NetworkSpec::named(name)
                };
                let plain = NetworkSpec { batch_norm: BatchNormAt::None, ..spec.clone() };
                let image = [2, 4, 4];
                let (normed, plain) = (build(&spec, image, 4), build(&plain, image, 4));
                let x = crate::rng::Stream::new(1, crate::rng::Purpose::Noise, &[]).normal(6 * 32, 2.0);
                let x = crate::rng::upload(x, [6, 32], &device);
                let maps = name == "cnn-1";
                let standard = |x: Tensor<2>, channels: usize| -> Tensor<2> {
                    let (b, n) = (x.dims()[0], x.dims()[1]);
                    let by_channel = x.reshape([b, channels, n / channels]).swap_dims(0, 1).flatten::<2>(1, 2);
                    let centred = by_channel.clone() - by_channel.mean_dim(1);
                    let variance = (centred.clone() * centred.clone()).mean_dim(1);
                    let unit = centred / (variance + 1e-5).sqrt();
                    unit.reshape([channels, b, n / channels]).swap_dims(0, 1).flatten::<2>(1, 2)
                };
                let (from, to) = if maps { (2, 3) } else { (32, 3) };
                let pass = Pass::Train { seed: 1 };
                let stages = plain.stages(0).unwrap();
                let x_in = if place == 0 { standard(x.clone(), from) } else { x.clone() };
                let z = stages.pre_activation(x_in, &pass);
                let h = (if place == 1 { standard(z, to) } else { z }).tanh();
                let h = stages.pool(if place == 2 { standard(h, to) } else { h });
                let found = normed.forward_plain(0..1, x, &pass).into_data();
                found.assert_approx_eq::<f32>(&h.into_data(), burn::tensor::Tolerance::absolute(1e-4));
            }
        }
    }

    #[test]
    fn what_responds_and_is_passed_on_is_the_layers_output() {
        let device = Device::flex();
        for toy in [crate::toy::mlp(2), crate::toy::cnn(false), crate::toy::cnn(true)] {
            for at in [BatchNormAt::None, BatchNormAt::Before, BatchNormAt::Between, BatchNormAt::After] {
                let net = NetworkSpec { batch_norm: at, ..toy.spec.clone() }.build(toy.image, 4, 5, &device).unwrap();
                let x = crate::toy::batch(&net, 1).x;
                for pass in [Pass::Replay { seed: 1 }, Pass::Eval] {
                    let net = if pass == Pass::Eval { net.valid() } else { net.duplicate() };
                    let parts = net.pass_on(0, net.respond(0, x.clone(), &pass).unwrap(), &pass);
                    let whole = net.forward_plain(0..1, x.clone(), &pass);
                    parts
                        .into_data()
                        .assert_approx_eq::<f32>(&whole.into_data(), burn::tensor::Tolerance::absolute(1e-5));
                }
            }
        }
    }

    #[test]
    fn what_a_network_starts_with_is_a_setting() {
        let spec = NetworkSpec { bias: Bias::Zero, initial: Initial::Orthogonal, ..NetworkSpec::named("mlp-2x800") };
        let zero = build(&NetworkSpec { width: Some(8), ..spec.clone() }, [1, 4, 4], 4);
        assert!(
            zero.params().iter().all(|layer| layer[1].clone().try_to_vec::<f32>().unwrap().iter().all(|b| *b == 0.0))
        );
        let none = build(&NetworkSpec { width: Some(8), bias: Bias::None, ..spec }, [1, 4, 4], 4);
        assert_eq!((zero.num_params(), none.num_params()), (16 * 8 + 8 * 8 + 8 * 4 + 20, 16 * 8 + 8 * 8 + 8 * 4));
        let refused = |spec: NetworkSpec| spec.build([3, 32, 32], 10, 1, &Device::flex()).err().unwrap().to_string();
        let error = refused(NetworkSpec { bias: Bias::Zero, ..NetworkSpec::named("vit-7") });
        assert!(error.contains("`bias`"), "{error}");
        let error = refused(NetworkSpec { initial: Initial::Zero, ..NetworkSpec::named("mlp-2x800") });
        assert!(error.contains("`initial`") && error.contains("output_initial"), "{error}");
    }

    #[test]
    fn a_classifier_starts_by_a_law_of_its_own_and_hidden_layers_by_theirs() {
        for (name, image) in [("mlp-2x800", [1, 4, 4]), ("cnn-1", [1, 28, 28])] {
            let usual = NetworkSpec { width: Some(8), ..NetworkSpec::named(name) };
            let zero = NetworkSpec { output_initial: Some(Initial::Zero), ..usual.clone() };
            let (usual, zero) = (build(&usual, image, 4).params(), build(&zero, image, 4).params());
            let last = usual.len() - 1;
            for (layer, (usual, zero)) in usual.iter().zip(&zero).enumerate() {
                let values = |data: &burn::tensor::TensorData| data.clone().try_to_vec::<f32>().unwrap();
                let (usual, zero) = (values(&usual[0]), values(&zero[0]));
                assert_eq!(usual == zero, layer < last, "{name}, layer {layer}");
                assert_eq!(zero.iter().all(|weight| *weight == 0.0), layer == last, "{name}, layer {layer}");
            }
        }
    }

    #[test]
    fn mistakes_are_named() {
        let error = |spec: NetworkSpec, image| spec.build(image, 10, 1, &Device::flex()).err().unwrap().to_string();
        assert!(error(NetworkSpec::named("mlp"), [1, 28, 28]).contains("mlp-2x800"));
        assert!(error(NetworkSpec::named("cnn-1"), [1, 8, 8]).contains("16x16"));
        assert!(error(NetworkSpec::named("vit-12"), [3, 30, 30]).contains("must divide"));
        let bad = NetworkSpec { width: Some(0), ..NetworkSpec::named("cnn-1") };
        assert!(error(bad, [1, 28, 28]).contains("`width` = 0"));
    }
}
