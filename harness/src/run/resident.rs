//! A small data set that lies on the device as bytes: batches are gathered, cropped and flipped there, and the host
//! sends an epoch's order and draws once, at its start.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use datasets::{Augment, Images};
use sll_core::memory::{Category, scope};
use std::ops::Range;

/// Larger sets stay on the host.
const MOST_BYTES: usize = 2 << 30;

/// The images of one split.
pub struct Resident {
    /// `[n, C H W]`, bytes.
    pixels: Tensor<2, Int>,
    /// `[n]`.
    labels: Tensor<1, Int>,
    shape: [usize; 3],
}

/// What an epoch does with the images, on the device.
pub struct Plan {
    /// `[n]`: which image comes when.
    order: Tensor<1, Int>,
    /// `[n, 3]`: top, left and flip of the image that comes then; absent where every image stays as it is.
    places: Option<Tensor<2, Int>>,
    padding: usize,
}

impl Resident {
    /// Whether `images` can live on `device` and be augmented there. flex's tensors are on the host anyway.
    pub fn suits(images: &Images, augment: &Augment, device: &Device) -> bool {
        *device != Device::flex() && augment.only_places() && !images.is_empty() && images.pixels.len() <= MOST_BYTES
    }

    /// Moves the pixels to `device`.
    pub fn take(images: &mut Images, device: &Device) -> Self {
        let (n, features) = (images.len(), images.image_len());
        let pixels = TensorData::new(std::mem::take(&mut images.pixels), [n, features]);
        Self {
            pixels: Tensor::from_data(pixels, (device, DType::U8)),
            labels: numbers(images.labels.iter().map(|&label| i64::from(label)).collect(), [n], device),
            shape: images.shape,
        }
    }

    /// Sends what the epoch that visits the images in `order` draws for each.
    pub fn plan(&self, order: &[u32], augment: &Augment, seed: u64, epoch: u64) -> Plan {
        let device = self.pixels.device();
        let places = (*augment != Augment::default()).then(|| {
            let draws = order.iter().flat_map(|&index| {
                let place = augment.place_of(seed, epoch, u64::from(index));
                [place.top as i64, place.left as i64, i64::from(place.flip)]
            });
            numbers(draws.collect(), [order.len(), 3], &device)
        });
        let order = numbers(order.iter().map(|&index| i64::from(index)).collect(), [order.len()], &device);
        Plan { order, places, padding: augment.crop_padding }
    }

    /// The images that `plan` has at `range`, not yet normalised, and their classes.
    pub fn batch(&self, plan: &Plan, range: Range<usize>) -> (Tensor<2>, Tensor<1, Int>) {
        let chosen = plan.order.clone().slice([range.clone()]);
        let pixels = self.pixels.clone().select(0, chosen.clone());
        let pixels = match &plan.places {
            Some(places) => self.place(pixels, places.clone().slice([range]), plan.padding),
            None => pixels.float(),
        };
        (pixels, self.labels.clone().select(0, chosen))
    }

    /// Images `range` in the order of the data set.
    pub fn slice(&self, range: Range<usize>) -> Tensor<2> {
        self.pixels.clone().slice([range]).float()
    }

    /// As [`Augment::apply`] does on the host: a crop from (top, left) of the padded image, then mirrored where it says
    /// so.
    fn place(&self, pixels: Tensor<2, Int>, places: Tensor<2, Int>, padding: usize) -> Tensor<2> {
        let [c, h, w] = self.shape;
        let b = pixels.dims()[0];
        let (inside, from) = {
            let _temporary = scope(Category::Workspace);
            let device = pixels.device();
            let draw = |column: usize| places.clone().slice([0..b, column..column + 1]);
            let steps = |n: usize| {
                let line = Tensor::<1, Int>::arange(0..n as i64, (&device, DType::I64));
                line.reshape([1, n]).expand([b, n])
            };
            let rows = steps(h) + (draw(0) - padding as i64).expand([b, h]);
            let across = steps(w);
            let mirrored = (across.clone() * -2 + (w as i64 - 1)) * draw(2).expand([b, w]);
            let columns = across + mirrored + (draw(1) - padding as i64).expand([b, w]);
            let within = |at: &Tensor<2, Int>, n: usize| {
                at.clone().greater_equal_elem(0).bool_and(at.clone().lower_elem(n as i64)).float()
            };
            let grid = |rows: Tensor<3>, columns: Tensor<3>| rows.expand([b, h, w]) * columns.expand([b, h, w]);
            let inside = grid(within(&rows, h).reshape([b, h, 1]), within(&columns, w).reshape([b, 1, w]));
            let rows = (rows.clamp(0, h as i64 - 1) * w as i64).reshape([b, h, 1]).expand([b, h, w]);
            let from = rows + columns.clamp(0, w as i64 - 1).reshape([b, 1, w]).expand([b, h, w]);
            (inside.reshape([b, 1, h * w]).expand([b, c, h * w]), from.reshape([b, 1, h * w]).expand([b, c, h * w]))
        };
        let moved = pixels.reshape([b, c, h * w]).gather(2, from).float();
        (moved * inside).reshape([b, c * h * w])
    }
}

/// Whole numbers in 64 bits, which LibTorch wants for indices.
pub fn numbers<const D: usize>(values: Vec<i64>, shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(values, shape), (device, DType::I64))
}
