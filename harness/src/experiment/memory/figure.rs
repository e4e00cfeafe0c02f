//! Training memory against depth: which measurements a figure is made of, and what follows from them.

use super::law::Affine;
use super::{Figure, MemoryRow, Panel};
use crate::error::{Error, Result};
use crate::pool::Job;
use crate::record::Footprint;
use crate::spec::{DeviceName, MemorySpec};
use crate::store::Store;
use crate::weigh::analytic;
use baselines::RuleSpec;
use sll_core::NetworkSpec;

/// What a flat rule may still hold for each layer, in bytes: handles of tensors and the losses that it reports, but not
/// one activation.
pub const FLAT: f64 = 1024.0;

/// What a flat rule's peak may differ by between the two deepest networks on a card, in bytes: LibTorch's caching
/// allocator splits a large block only where more than this would be left over, and counts blocks.
pub const BLOCK: f64 = (1 << 20) as f64;

/// A measurement that a figure needs.
#[derive(Clone, Debug)]
pub struct DepthPoint {
    /// Index of its panel.
    pub panel: usize,
    /// Index of its row.
    pub row: usize,
    /// Its depth.
    pub depth: usize,
    /// What is measured, or why it cannot be.
    pub spec: std::result::Result<MemorySpec, String>,
}

/// A rule's line in a panel.
#[derive(Clone, Debug)]
pub struct DepthLine {
    /// The rule's label.
    pub label: String,
    /// Whether its step's peak must not grow.
    pub flat: bool,
    /// Measurements by depth, rising.
    pub points: Vec<(usize, Footprint)>,
    /// Why there are none.
    pub missing: Option<String>,
}

/// A figure with its measurements.
#[derive(Clone, Debug)]
pub struct FigureData {
    /// What was asked for.
    pub figure: Figure,
    /// The command that made it.
    pub command: String,
    /// Lines by panel, in the order of the rows.
    pub panels: Vec<Vec<DepthLine>>,
}

/// Every measurement of `figure` on `device`, deepest last.
pub fn cells(figure: &Figure, device: DeviceName) -> Result<Vec<DepthPoint>> {
    let mut cells = Vec::new();
    for (index, panel) in figure.panels.iter().enumerate() {
        for &depth in &panel.depths {
            for (row, what) in figure.rows.iter().enumerate() {
                let spec = spec(figure, panel, what, depth, device)?;
                let spec = match spec.unsupported()? {
                    Some(reason) => Err(reason),
                    None => Ok(spec),
                };
                cells.push(DepthPoint { panel: index, row, depth, spec });
            }
        }
    }
    Ok(cells)
}

fn spec(figure: &Figure, panel: &Panel, row: &MemoryRow, depth: usize, device: DeviceName) -> Result<MemorySpec> {
    let network = NetworkSpec { depth: Some(depth), ..panel.network.clone() };
    let mut spec = MemorySpec {
        network,
        image: figure.input.image,
        classes: figure.input.classes,
        batch: figure.batch,
        rule: row.rule(1)?,
        optimizer: figure.input.optimizer,
        momentum: 0.0,
        steps: figure.input.steps,
        threads: 1,
        device,
    };
    spec.validate()?;
    spec.rule = row.rule(spec.places()?)?;
    Ok(spec)
}

/// The measurements to make.
pub fn jobs(figure: &Figure, cells: &[DepthPoint]) -> Vec<Job<MemorySpec>> {
    let job = |cell: &DepthPoint| {
        let (panel, row) = (&figure.panels[cell.panel].label, &figure.rows[cell.row].label);
        let title = format!("{} | {panel} | {row} | depth {}", figure.name, cell.depth);
        Some(Job { title, request: cell.spec.clone().ok()?, need: None })
    };
    cells.iter().filter_map(job).collect()
}

/// The figure with what `store` has.
pub fn collect(figure: &Figure, cells: &[DepthPoint], store: &Store, command: &str) -> Result<FigureData> {
    let empty =
        |row: &MemoryRow| DepthLine { label: row.label.clone(), flat: row.flat, points: Vec::new(), missing: None };
    let mut panels: Vec<Vec<DepthLine>> =
        figure.panels.iter().map(|_| figure.rows.iter().map(empty).collect()).collect();
    for cell in cells {
        let line = &mut panels[cell.panel][cell.row];
        match &cell.spec {
            Ok(spec) => {
                if let Some(found) = store.find(spec)? {
                    // A measurement may be older than the theory of its rule.
                    let theory = found.analytic.map_or_else(|| analytic(spec), |theory| Ok(Some(theory)))?;
                    line.points.push((cell.depth, Footprint { analytic: theory, ..found }));
                }
            }
            Err(reason) => line.missing = Some(reason.clone()),
        }
    }
    Ok(FigureData { figure: figure.clone(), command: command.to_string(), panels })
}

impl DepthLine {
    /// Bytes a layer of what `part` picks, between the two deepest networks: shallower ones may have their peak
    /// elsewhere, where one wide layer hides what the others keep, and units of more than one layer are not all there
    /// yet.
    pub fn slope(&self, part: impl Fn(&Footprint) -> u64) -> Option<f64> {
        let points = self.points.iter().filter(|(_, found)| !is_bp(found));
        let points: Vec<_> = points.map(|(depth, found)| (*depth as f64, part(found) as f64)).collect();
        let [.., shallower, deepest] = points[..] else { return None };
        Some(Affine::through(shallower, deepest).b)
    }

    /// The deepest measurement.
    pub fn deepest(&self) -> Option<&Footprint> {
        self.points.last().map(|(_, footprint)| footprint)
    }

    /// The largest deviation of theory from what was measured, in percent with its sign.
    pub fn analytic_deviation(&self) -> Option<f64> {
        let deviations = self.points.iter().filter_map(|(_, found)| found.analytic_deviation());
        deviations.max_by(|a, b| a.abs().total_cmp(&b.abs()))
    }

    /// The steeper of the slopes of the step's peak and of the most activations at once, which show a layer's output
    /// that is kept even where something else decides the peak.
    fn steepest(&self) -> Option<f64> {
        let slopes = [self.slope(|found| found.bytes.step_peak())?, self.slope(|found| found.most_activations)?];
        slopes.into_iter().map(f64::abs).max_by(f64::total_cmp)
    }

    /// The verdict on a line that theory has flat: whether none of its slopes is above [`FLAT`], on a card [`BLOCK`]
    /// over the layers between the two deepest networks. `None` for others, and where there are too few points.
    pub fn is_flat(&self) -> Option<bool> {
        self.flat.then(|| self.stays())?
    }

    /// Whether none of its slopes is more than that, whatever theory says.
    pub fn stays(&self) -> Option<bool> {
        Some(self.steepest()? <= self.allowed()?)
    }

    /// Whether what `part` picks grows by no more than that.
    pub fn does_not_grow(&self, part: impl Fn(&Footprint) -> u64) -> Option<bool> {
        Some(self.slope(part)? <= self.allowed()?)
    }

    /// The largest slope that counts as none.
    fn allowed(&self) -> Option<f64> {
        let points: Vec<_> = self.points.iter().filter(|(_, found)| !is_bp(found)).collect();
        let [.., (shallower, _), (deepest, found)] = points[..] else { return None };
        let block = BLOCK / (deepest - shallower) as f64;
        Some(if found.spec.device.card().is_some() { FLAT.max(block) } else { FLAT })
    }
}

/// Whether units of a given size are so few that there is only one: the rule is BP then, and in no line with the
/// others.
pub fn is_bp(found: &Footprint) -> bool {
    matches!(found.spec.rule, RuleSpec::Sll(rule) if rule.units == Some(1))
}

impl FigureData {
    /// Every measurement with its panel's label.
    pub fn each(&self) -> impl Iterator<Item = (&str, &DepthLine, usize, &Footprint)> {
        self.figure.panels.iter().zip(&self.panels).flat_map(|(panel, lines)| {
            let points = move |line| {
                let line: &DepthLine = line;
                line.points.iter().map(move |(depth, found)| (panel.label.as_str(), line, *depth, found))
            };
            lines.iter().flat_map(points)
        })
    }

    /// Fails where a rule's step peak grows with depth although theory has it flat: something is held that should be
    /// gone.
    pub fn check(&self) -> Result<()> {
        let mut grown = Vec::new();
        for (panel, lines) in self.figure.panels.iter().zip(&self.panels) {
            for line in lines.iter().filter(|line| line.is_flat() == Some(false)) {
                let slope = line.steepest().unwrap_or(f64::NAN);
                grown.push(format!(
                    "  {}, {}: {slope:.0} bytes for each of its {}",
                    line.label, panel.label, self.figure.depth
                ));
            }
        }
        match grown.is_empty() {
            true => Ok(()),
            false => Err(Error::Failed(format!(
                "{}: a step must not hold more in a deeper network, but it does, so a layer's bytes outlive the layer \
                 (look for a tensor or a graph that the rule keeps):\n{}",
                self.figure.name,
                grown.join("\n")
            ))),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::experiment::memory::{MemoryExperiment, example, find, parse};

    /// A figure of two rules at depths 2 and 4; the second, which theory has flat, grows by `leak` bytes a layer.
    pub fn drawn(leak: u64) -> FigureData {
        let text = r#"
            kind = "memory-figure"
            name = "figure2x"
            title = "An | example"
            depth = "hidden layers"
            batch = 4
            notes = ["Noted."]
            input = { image = [1, 8, 8], classes = 10, optimizer = "adamax", steps = 2 }
            panels = [{ label = "width 800", suffix = "", network = { name = "mlp-2x800" }, depths = [2, 4] }]
            rows = [
                { label = "BP", rule = { name = "bp" } },
                { label = "SLL", rule = { name = "sll" }, flat = true },
            ]
        "#;
        let MemoryExperiment::MemoryFigure(figure) = parse(text, "test").unwrap() else { panic!("a figure") };
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let cells = cells(&figure, DeviceName::Flex).unwrap();
        for cell in &cells {
            let each = if cell.row == 0 { 1 << 20 } else { leak };
            let step = (4 << 20) + each * cell.depth as u64;
            example::put(&store, &example::of(cell.spec.clone().unwrap(), step));
        }
        let mut drawn = collect(&figure, &cells, &store, "harness footprint figure2x").unwrap();
        // Theory is of real steps; these are made up, and so is theirs.
        for (_, found) in drawn.panels.iter_mut().flatten().flat_map(|line| &mut line.points) {
            found.analytic = example::of(found.spec.clone(), found.step_peak).analytic;
        }
        drawn
    }

    #[test]
    fn slopes_are_bytes_a_layer() {
        let drawn = drawn(100);
        let [bp, sll] = &drawn.panels[0][..] else { panic!("two lines") };
        assert_eq!(bp.slope(|found| found.bytes.step_peak()), Some(f64::from(1 << 20)));
        assert_eq!(sll.slope(|found| found.bytes.step_peak()), Some(100.0));
        assert_eq!(sll.slope(|found| found.bytes.standing.optimizer_state), Some(8192.0));
        assert!((bp.analytic_deviation().unwrap() - 1.0).abs() < 1e-3);
        assert_eq!((bp.is_flat(), sll.is_flat()), (None, Some(true)));
        // Its optimiser's state grows by 8 KiB a layer.
        assert_eq!(sll.does_not_grow(|found| found.bytes.step_peak()), Some(true));
        assert_eq!(sll.does_not_grow(|found| found.bytes.standing.optimizer_state), Some(false));
        assert_eq!(bp.stays(), Some(false));
        assert!(drawn.check().is_ok());
        assert_eq!(drawn.each().count(), 4);
    }

    #[test]
    fn one_unit_is_bp_and_in_no_slope() {
        let point =
            |depth, units, step| (depth, example::footprint(&format!("name = \"sll\", units = {units}"), depth, step));
        let points = vec![point(2, 1, 9000), point(4, 2, 5000), point(8, 4, 5400)];
        let line = DepthLine { label: "SLLi+".into(), flat: true, points, missing: None };
        assert_eq!(line.slope(|found| found.bytes.step_peak()), Some(100.0));
    }

    #[test]
    fn activations_below_the_peak_are_seen() {
        let mut drawn = drawn(0);
        for (depth, found) in &mut drawn.panels[0][1].points {
            found.most_activations = 5000 * *depth as u64;
        }
        assert_eq!(drawn.panels[0][1].slope(|found| found.bytes.step_peak()), Some(0.0));
        assert!(drawn.check().unwrap_err().to_string().contains("SLL, width 800: 5000 bytes"));
    }

    #[test]
    fn a_rule_that_must_be_flat_and_grows_fails() {
        let error = drawn(4096).check().unwrap_err();
        assert_eq!(error.exit_code(), 1);
        let text = error.to_string();
        assert!(text.contains("SLL, width 800: 4096 bytes") && !text.contains("BP"), "{text}");
    }

    #[test]
    fn units_of_equal_size_follow_the_networks_depth() {
        let MemoryExperiment::MemoryFigure(figure) = find("figure2c").unwrap() else { panic!("a figure") };
        let row = figure.rows.iter().position(|row| row.layers_per_unit == Some(2)).unwrap();
        let titles: Vec<String> = cells(&figure, DeviceName::Flex)
            .unwrap()
            .into_iter()
            .filter(|cell| cell.row == row)
            .map(|cell| cell.spec.unwrap().rule.title())
            .collect();
        let expected: Vec<String> = figure.panels[0].depths.iter().map(|d| format!("SLL{}+", d.div_ceil(2))).collect();
        assert_eq!(titles, expected);
    }
}
