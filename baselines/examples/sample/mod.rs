//! The embedded sample of MNIST as batches, for examples and tests.

use burn::tensor::{Device, Tensor, TensorData};
use datasets::{Dataset, Images, LoadOptions, Normalise, Splits, epoch_order};
use sll_core::optim::Updater;
use sll_core::rule::{Batch, LearningRule};
use sll_core::{Network, Result};

/// 4,000 training and 1,000 test images, `[1, 28, 28]`, of ten classes.
pub struct Sample {
    pub data: Dataset,
    normalise: Normalise,
}

impl Sample {
    /// Needs no file: it is part of the program.
    pub fn load() -> Self {
        let data = datasets::load("mnist-sample", &LoadOptions::default()).expect("embedded");
        let normalise = Normalise::new(data.shape, &data.mean, &data.std);
        Self { data, normalise }
    }

    fn splits(&self) -> &Splits {
        self.data.in_memory().expect("a small data set")
    }

    /// Rows of features `x = (pixel / 255 - mean) / std`, and classes.
    fn rows(&self, images: &Images, chosen: &[u32]) -> (Tensor<2>, Vec<usize>) {
        let pixels: Vec<u8> = chosen.iter().flat_map(|&index| images.image(index as usize)).copied().collect();
        let shape = [chosen.len(), images.image_len()];
        let x = Tensor::from_data(TensorData::new(self.normalise.apply(&pixels), shape), &Device::flex());
        (x, chosen.iter().map(|&index| usize::from(images.labels[index as usize])).collect())
    }

    /// The batches of epoch `epoch`, counted from 0, in its own order.
    pub fn epoch(&self, epoch: usize, batch: usize) -> Vec<Batch> {
        let train = &self.splits().train;
        let order = epoch_order(0, epoch as u64, train.len());
        let first = (epoch * train.len().div_ceil(batch)) as u64;
        let batches = order.chunks(batch).zip(first..).map(|(chosen, step)| {
            let (x, labels) = self.rows(train, chosen);
            Batch { step, epoch, ..Batch::new(x, labels, step) }
        });
        batches.collect()
    }

    /// Trains with `rule` for `epochs`, `batch` images a step.
    #[allow(dead_code, reason = "an example of a loop of one's own does without")]
    pub fn train(
        &self,
        net: &mut Network,
        rule: &mut dyn LearningRule,
        updater: &mut Updater,
        (epochs, batch): (usize, usize),
    ) -> Result<()> {
        for batch in (0..epochs).flat_map(|epoch| self.epoch(epoch, batch)) {
            rule.step(net, &batch, updater)?;
        }
        Ok(())
    }

    /// Percent of the test images that the rule classifies right.
    pub fn accuracy(&self, net: &Network, rule: &dyn LearningRule) -> f64 {
        let test = &self.splits().test;
        let (x, labels) = self.rows(test, &(0..test.len() as u32).collect::<Vec<_>>());
        let chosen = rule.predict(&net.valid(), x).argmax(1).into_data().convert::<i64>();
        let chosen = chosen.try_to_vec::<i64>().expect("class indices");
        let right = chosen.iter().zip(&labels).filter(|(chosen, label)| **chosen == **label as i64).count();
        100.0 * right as f64 / labels.len() as f64
    }
}
