//! Claims about what hidden layers represent, from what was measured of them after the last epoch.

use super::finding::{Finding, Found, Page, Verdict, interval, judge_one_of, scale_of, weight};
use crate::record::{LayerRepresentation, RunResult};
use crate::report::paired::pairs;
use serde::Deserialize;

/// What is measured of a layer's output `h` and its projection `v = R h`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// Scatter between classes over scatter within, of `v` less that of `h`.
    Sharpening,
    /// Percent of images whose class has the nearest mean, of `v` less that of `h`.
    NearestMean,
    /// Effective rank of `h`.
    EffectiveRank,
    /// Mean relative error of the squared distances in a minibatch under the rule's own `R`.
    OwnDistortion,
}

impl Quantity {
    fn of(self, layer: &LayerRepresentation) -> Option<f64> {
        match self {
            Self::Sharpening => Some(layer.v.scatter_ratio? - layer.h.scatter_ratio?),
            Self::NearestMean => Some(layer.v.nearest_mean? - layer.h.nearest_mean?),
            Self::EffectiveRank => layer.effective_rank,
            Self::OwnDistortion => Some(layer.own_distortion?.mean),
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Sharpening => "scatter ratio of v less that of h",
            Self::NearestMean => "percent right by the nearest class mean of v less that of h",
            Self::EffectiveRank => "effective rank of h",
            Self::OwnDistortion => "mean relative error of squared distances under the rule's R",
        }
    }
}

/// In every hidden layer a quantity of `row`, less that of `against` where that is given, is at least or at most
/// something.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layers {
    pub experiment: String,
    pub column: String,
    pub row: String,
    pub quantity: Quantity,
    pub against: Option<String>,
    pub at_least: Option<f64>,
    pub at_most: Option<f64>,
}

impl Layers {
    /// By the page that [`weight`] chooses. One seed leaves it open; one layer that is not so, by the interval of all
    /// layers together, decides.
    pub fn judged<'a>(&self, pages: &[&'a Page]) -> Found<'a> {
        let measured = pages.iter().map(|page| (*page, self.measured(page)));
        let measured = measured.filter(|(_, seeds)| !seeds.is_empty());
        let Some((page, seeds)) = measured.max_by_key(|(_, seeds)| weight(seeds.len(), seeds[0].0[0])) else {
            let said = format!("{} on {}: no layer was measured", self.row, self.column);
            return Ok((None, Finding::not_done(said)));
        };
        let depth = seeds.iter().map(|(_, values)| values.len()).min().unwrap_or(0);
        let of_layer = |layer| seeds.iter().map(|(_, values)| values[layer]).collect();
        let layers: Vec<Vec<f64>> = (0..depth).map(of_layer).collect();
        let (bound, asked) = match (self.at_least, self.at_most) {
            (Some(least), _) => (least, format!("at least {least}")),
            (None, most) => (most.unwrap_or_default(), format!("at most {}", most.unwrap_or_default())),
        };
        // What is the same run of numbers in both rows is no comparison.
        let same = |values: &Vec<f64>| self.against.is_some() && values.iter().all(|value| *value == 0.0);
        let compared: Vec<&Vec<f64>> = layers.iter().filter(|values| !same(values)).collect();
        let verdict = |values: &&Vec<f64>| match self.at_least {
            Some(_) => judge_one_of(values, bound, compared.len()),
            None => judge_one_of(&values.iter().map(|value| -value).collect::<Vec<_>>(), -bound, compared.len()),
        };
        let verdict = Verdict::of_all(&compared.iter().map(verdict).collect::<Vec<_>>());
        let numbered = layers.iter().enumerate();
        let said = |values: &Vec<f64>| if same(values) { "the same in both".into() } else { interval(values) };
        let list = numbered.map(|(layer, values)| format!("layer {} {}", layer + 1, said(values)));
        let less = self.against.as_ref().map_or(String::new(), |against| format!(", less that of {against}"));
        let list = list.collect::<Vec<_>>().join(", ");
        let said = format!("{}, {}{less}: {list}; asked: {asked}", self.row, self.quantity.title());
        let scale = scale_of(&seeds.iter().flat_map(|(runs, _)| runs.iter().copied()).collect::<Vec<_>>());
        Ok((Some(page), Finding { verdict, said, scale, source: None }))
    }

    /// Of each seed the run, with that of `against`, and a value for each layer.
    fn measured<'a>(&self, page: &'a Page) -> Vec<(Vec<&'a RunResult>, Vec<f64>)> {
        let of = |label: &str| {
            let own = page.runs.iter().filter(|run| run.row == label && run.is_of(&self.column));
            own.map(|run| &run.run).filter(|run| !run.is_of_a_former_rule()).collect::<Vec<_>>()
        };
        let quantities = |run: &RunResult| -> Option<Vec<f64>> {
            run.representations.last()?.layers.iter().map(|layer| self.quantity.of(layer)).collect()
        };
        let own = of(&self.row).into_iter();
        match self.against.as_deref().map(of) {
            None => own.filter_map(|run| Some((vec![run], quantities(run)?))).collect(),
            Some(others) => {
                let less = |(run, other)| {
                    let [values, others] = [quantities(run)?, quantities(other)?];
                    Some((vec![run, other], values.iter().zip(&others).map(|(a, b)| a - b).collect()))
                };
                pairs(own, others.into_iter()).into_iter().filter_map(less).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{EpochRepresentations, Separation};
    use crate::report::place::About;
    use crate::report::{Cell, example, parquet};

    /// A page whose BP has these scatter ratios of `v` in its two layers, a row a seed; those of `h` are 1, and the
    /// effective ranks are ten times as much. TP has ranks of 20.
    fn page(folder: &std::path::Path, seeds: &[[f64; 2]]) -> Page {
        let layer = |ratio: f64, rank: f64| LayerRepresentation {
            name: "dense".into(),
            effective_rank: Some(rank),
            h: Separation { scatter_ratio: Some(1.0), nearest_mean: Some(80.0) },
            v: Separation { scatter_ratio: Some(ratio), nearest_mean: Some(70.0 + 10.0 * ratio) },
            own: false,
            own_distortion: None,
            fresh: Vec::new(),
        };
        let run = |seed: usize, layers: Vec<LayerRepresentation>| {
            let representations = vec![EpochRepresentations { epoch: 3, seconds: 0.1, layers }];
            RunResult { representations, ..example::run(seed as u64, 90.0) }
        };
        let mut report = example::table();
        let own = |(seed, ratios): (usize, &[f64; 2])| run(seed, ratios.map(|r| layer(r, 10.0 * r)).to_vec());
        let other = |seed: usize| run(seed, vec![layer(1.0, 20.0), layer(1.0, 20.0)]);
        report.cells[0] = Cell { runs: seeds.iter().enumerate().map(own).collect(), ..Cell::default() };
        report.cells[2] = Cell { runs: (0..seeds.len()).map(other).collect(), ..Cell::default() };
        parquet::write(&report, folder).unwrap();
        Page::read("representations".into(), folder.into(), About::default()).unwrap()
    }

    #[test]
    fn every_layer_has_to_be_so_and_one_seed_decides_nothing() {
        let asked = |quantity, against: Option<&str>, at_least, at_most| {
            let (experiment, column, row) = ("representations".into(), "MNIST".into(), "BP".into());
            Layers { experiment, column, row, quantity, against: against.map(str::to_owned), at_least, at_most }
        };
        let sharper = asked(Quantity::Sharpening, None, Some(0.0), None);
        let dir = tempfile::tempdir().unwrap();
        let found = |name: &str, seeds: &[[f64; 2]], asked: &Layers| {
            let folder = dir.path().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            asked.judged(&[&page(&folder, seeds)]).unwrap().1
        };
        assert_eq!(found("one", &[[3.0, 4.0]], &sharper).verdict, Verdict::Open);
        // Differences 2.0, 2.1, 2.2 and 3.0, 3.1, 3.2; s 0.1, half-width 4.3027 * 0.1 / sqrt 3 = 0.248.
        let three = [[3.0, 4.0], [3.1, 4.1], [3.2, 4.2]];
        let holds = found("three", &three, &sharper);
        assert_eq!(holds.verdict, Verdict::Holds);
        let said = "BP, scatter ratio of v less that of h: layer 1 +2.10 (+1.85 to +2.35, n=3), layer 2 +3.10 (+2.85 \
                    to +3.35, n=3); asked: at least 0";
        assert_eq!(holds.said, said);
        assert_eq!(found("half", &[[3.0, 0.5], [3.1, 0.6], [3.2, 0.7]], &sharper).verdict, Verdict::Fails);
        // Ranks 30, 31, 32 and 40, 41, 42 less 20.
        let rank = |at_least, at_most| asked(Quantity::EffectiveRank, Some("TP"), at_least, at_most);
        assert_eq!(found("least", &three, &rank(Some(5.0), None)).verdict, Verdict::Holds);
        assert_eq!(found("most", &three, &rank(None, Some(24.0))).verdict, Verdict::Holds);
        assert_eq!(found("less", &three, &rank(None, Some(15.0))).verdict, Verdict::Fails);
        // 10 r - 10: 20, 21, 22 and 30, 31, 32.
        let nearest = found("three", &three, &asked(Quantity::NearestMean, None, Some(17.0), None));
        assert!(nearest.verdict == Verdict::Holds && nearest.said.contains("layer 1 +21.00 ("), "{nearest:?}");
        // Ranks 19, 19.35, 18.65 less 20: -1, s 0.35, half-width 0.869 of one layer and 6.205 * 0.35 / sqrt 3 = 1.254
        // of two.
        let below = |second: [f64; 3]| [[1.9, second[0]], [1.935, second[1]], [1.865, second[2]]];
        let of_two = found("two", &below([4.0, 4.1, 4.2]), &rank(Some(0.0), None));
        assert_eq!(of_two.verdict, Verdict::Open);
        let of_one = found("single", &below([2.0; 3]), &rank(Some(0.0), None));
        assert!(of_one.verdict == Verdict::Fails && of_one.said.contains("layer 2 the same in both"), "{of_one:?}");
        let none = asked(Quantity::OwnDistortion, None, None, Some(0.3));
        assert_eq!(found("none", &three, &none).verdict, Verdict::NotDone);
    }
}
