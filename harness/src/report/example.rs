//! Reports for tests.

use super::{Cell, Report};
use crate::experiment::{Amount, Authors, Column, Parameter, PlannedColumn, Read, Theirs};
use crate::paper::Quoted;
pub use crate::record::example::{diverged, run};
use crate::record::{
    EpochDiagnostics, EpochRepresentations, FreshDistortion, Kernels, LayerDiagnostics, LayerPlanes,
    LayerRepresentation, Picture, Planes, RunResult, Separation, WeightSpread,
};
use sll_core::posterior::{Affinity, UnitPosterior};
use sll_core::representation::Distortion;

/// Two rules on two data sets: complete, unverified with a diverged run, missing, and quoted only.
pub fn table() -> Report {
    let quoted = |mean, std| Some(Quoted { mean, std, network: "2x800 | MLP".into(), note: None });
    let mut unverified = vec![run(0, 30.0), run(1, 31.0), diverged(2)];
    unverified.iter_mut().for_each(|run| run.data.verified = false);
    Report {
        name: "table1".into(),
        title: "Accuracy of MLPs".into(),
        notes: vec!["Ten epochs, not a hundred.".into()],
        reading: vec![],
        profile: "quick".into(),
        variant: "quick-flex".into(),
        command: "harness reproduce table1".into(),
        swept: vec![],
        row_axis: "rule".into(),
        column_axis: "data set".into(),
        rows: vec!["BP".into(), "TP".into()],
        reference: None,
        columns: ["MNIST", "CIFAR-10"].map(|label| PlannedColumn { label: label.into(), values: vec![] }).into(),
        cells: vec![
            Cell {
                runs: vec![run(0, 98.1), run(1, 98.4), run(2, 97.9)],
                quoted: quoted(99.25, Some(0.09)),
                ..Cell::default()
            },
            Cell { runs: unverified, quoted: quoted(60.95, None), ..Cell::default() },
            Cell {
                quoted: quoted(97.96, Some(0.08)),
                missing: Some("TP is not implemented".into()),
                ..Cell::default()
            },
            Cell { missing: Some("TP is not implemented".into()), ..Cell::default() },
        ],
    }
}

/// BP beside its authors' numbers, of another length and of this one, and a rule that cannot run.
pub fn calibration() -> Report {
    let amount = Amount { epochs: 100, seeds: 1, train_limit: None, network: toml::Table::new(), on_flex: None };
    let setting = Column {
        label: "mnist-sample".into(),
        dataset: "mnist-sample".into(),
        sample: None,
        quoted: None,
        network: toml::Table::new(),
        recipe: toml::Table::new(),
        profile: [("paper".to_string(), amount)].into(),
        missing: None,
    };
    let theirs = |epochs, mean, std: Option<f64>, read, source: &str| Theirs {
        epochs,
        mean,
        std,
        n: std.map(|_| 10),
        read,
        source: source.into(),
    };
    let authors = Authors {
        setting: Some(Box::new(setting)),
        theirs: vec![
            theirs(100, 98.63, None, Read::Best, "Table | 1"),
            theirs(3, 98.1, Some(0.1), Read::Last, "their code"),
        ],
        differs: Some("another seed".into()),
        reading: [("quick-flex".to_string(), "two epochs are few".to_string())].into(),
    };
    let none = Authors { setting: None, theirs: vec![], differs: None, reading: [].into() };
    Report {
        rows: vec!["BP".into(), "SGR".into()],
        columns: vec![PlannedColumn { label: "authors' setting".into(), values: vec![] }],
        cells: vec![
            Cell { runs: vec![run(0, 97.9), run(1, 98.1)], authors: Some(authors), ..Cell::default() },
            Cell { authors: Some(none), missing: Some("no public code".into()), ..Cell::default() },
        ],
        ..table()
    }
}

/// BP and SLL on one data set with two seeds, every layer measured before training and at its end.
pub fn measured() -> Report {
    let layer =
        |l: usize, angle: f64, posterior| LayerDiagnostics { name: format!("{l}"), angle: Some(angle), posterior };
    let unit = |l: usize, log_likelihood, kl: f64| {
        let affinity = Affinity { coefficient: 1.0 - 0.05 * l as f64, surrogate: 0.05 * l as f64, kl };
        let accuracy = 93.0 + 2.0 * l as f64;
        Some(UnitPosterior { log_likelihood, accuracy, parent: (l > 0).then_some(affinity) })
    };
    let epoch = |epoch, layers| EpochDiagnostics { epoch, seconds: 0.5, layers };
    let of = |diagnostics: Vec<EpochDiagnostics>| {
        let run = |seed| RunResult { diagnostics: diagnostics.clone(), ..run(seed, 97.0) };
        Cell { runs: vec![run(0), run(1)], ..Cell::default() }
    };
    let plain = || (0..3).map(|l| layer(l, 0.0, None)).collect();
    let sll = |likelihoods: [f64; 3], kl: [f64; 3]| {
        (0..3).map(|l| layer(l, [80.0, 70.0, 0.0][l], unit(l, likelihoods[l], kl[l]))).collect()
    };
    Report {
        rows: vec!["BP".into(), "SLL".into()],
        columns: vec![PlannedColumn { label: "MNIST".into(), values: vec![] }],
        cells: vec![
            of(vec![epoch(0, plain()), epoch(3, plain())]),
            of(vec![
                epoch(0, sll([-1.0, -0.8, -0.6], [0.0, 0.05, 0.1])),
                epoch(3, sll([-0.5, -0.3, -0.1], [0.0, 0.1, 0.3])),
            ]),
        ],
        ..table()
    }
}

/// BP and SLL on one data set, their two hidden layers' outputs measured before training and at its end, and drawn.
pub fn represented() -> Report {
    let layer = |l: usize, trained: bool, own: bool| LayerRepresentation {
        name: format!("{l}"),
        effective_rank: Some(if trained { 60.0 / (l + 1) as f64 } else { 60.0 }),
        h: Separation { scatter_ratio: Some(0.2 * (l + 1) as f64), nearest_mean: Some(45.0 * (l + 1) as f64) },
        v: Separation { scatter_ratio: Some(0.25 * (l + 1) as f64), nearest_mean: Some(40.0 * (l + 1) as f64) },
        own,
        own_distortion: own.then_some(Distortion { mean: 0.3, max: 0.9 }),
        fresh: [(10, 0.36), (1000, 0.04)]
            .map(|(codes, mean)| FreshDistortion { codes, distortion: Distortion { mean, max: 3.0 * mean } })
            .into(),
    };
    let of = |own: bool| {
        let epoch = |epoch| {
            let layers = (0..2).map(|l| layer(l, epoch > 0, own)).collect();
            EpochRepresentations { epoch, seconds: 0.5, layers }
        };
        let points = |sign: i16| Planes { pca: vec![[sign, 0], [0, sign]], tsne: vec![[1000, -500], [-1000, 500]] };
        let spread = WeightSpread {
            name: "1".into(),
            std: 0.05,
            initial_std: 0.02,
            kurtosis: 4.5,
            ends: [-0.5, 0.5],
            density: vec![0.0, 4.0, 0.0],
        };
        let picture = Picture {
            labels: vec![7, 2],
            layers: vec![LayerPlanes { h: points(1), v: points(-1) }; 2],
            weights: vec![spread],
            kernels: Some(Kernels { shape: [1, 1, 2], values: vec![127, -127, 0, 0] }),
        };
        let representations = vec![epoch(0), epoch(3)];
        let run = RunResult { representations, picture: Some(Box::new(picture)), ..run(0, 97.0) };
        Cell { runs: vec![run], ..Cell::default() }
    };
    Report {
        rows: vec!["BP".into(), "SLL".into()],
        columns: vec![PlannedColumn { label: "MNIST".into(), values: vec![] }],
        cells: vec![of(false), of(true)],
        ..table()
    }
}

/// Two rows against a swept number; the second stops early.
pub fn sweep() -> Report {
    let values = [1.0, 10.0, 100.0];
    let row = |accuracy: f64, upto: usize| {
        (0..values.len()).map(move |i| Cell {
            runs: if i < upto { vec![run(0, accuracy + i as f64), run(1, accuracy + 1.0 + i as f64)] } else { vec![] },
            ..Cell::default()
        })
    };
    Report {
        name: "sweep-projection".into(),
        title: "Projection size".into(),
        column_axis: "projection size".into(),
        swept: vec![Parameter {
            parameter: "rule.projection_size".into(),
            label: "projection size".into(),
            values: values.map(toml::Value::from).into(),
        }],
        columns: values.map(|value| PlannedColumn { label: value.to_string(), values: vec![value.into()] }).into(),
        cells: row(90.0, 3).chain(row(85.0, 2)).collect(),
        ..table()
    }
}

/// SLL and a row without runs over two parameters; the last pair has no run.
pub fn grid() -> Report {
    let parameter = |parameter: &str, label: &str, values: Vec<toml::Value>| Parameter {
        parameter: parameter.into(),
        label: label.into(),
        values,
    };
    let swept = vec![
        parameter("rule.align_weight", "alignment", vec![0.0.into(), 0.5.into(), 1.0.into()]),
        parameter("rule.projection", "projection", vec!["fan_in".into(), "orthogonal".into()]),
    ];
    let pairs = swept[0].values.iter().flat_map(|a| swept[1].values.iter().map(move |b| vec![a.clone(), b.clone()]));
    let columns = pairs.map(|values| PlannedColumn { label: format!("{values:?}"), values }).collect();
    let full = |i: usize| Cell { runs: vec![run(0, 90.0 + i as f64)], ..Cell::default() };
    let sll = (0..6).map(|i| if i == 4 { Cell::default() } else { full(i) });
    let cells = sll.chain((0..6).map(|_| Cell::default())).collect();
    Report { name: "grid".into(), rows: vec!["SLL".into(), "TP".into()], columns, cells, swept, ..table() }
}
