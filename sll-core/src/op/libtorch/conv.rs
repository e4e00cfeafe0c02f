//! Convolutions: all gradients by one call where the signal goes back through the weight itself, as oneDNN and cuDNN
//! have it. On the CPU maps have their channels last in memory from here to the end of the layer: LibTorch pools and
//! norms such maps several times faster, and oneDNN takes them as they are.

use super::super::conv::{ConvGradients, ConvKernels};
use super::{owned, shim};
use burn::backend::LibTorch;
use burn::backend::libtorch::TchTensor;
use tch::Tensor;

fn laid_out(map: &Tensor) -> Tensor {
    if map.device() == tch::Device::Cpu { shim::channels_last(map) } else { map.shallow_clone() }
}

impl ConvKernels for LibTorch {
    fn convolve(x: TchTensor, weight: TchTensor, bias: TchTensor, padding: usize) -> TchTensor {
        let (x, pad) = (laid_out(&x.tensor), [padding as i64; 2]);
        owned(x.conv2d(&weight.tensor, Some(&bias.tensor), [1, 1], pad, [1, 1], 1))
    }

    fn convolve_backward(
        x: TchTensor,
        weight: TchTensor,
        _bias: TchTensor,
        feedback: Option<TchTensor>,
        dy: TchTensor,
        padding: usize,
    ) -> ConvGradients<Self> {
        let (x, weight, dy) = (&laid_out(&x.tensor), &weight.tensor, &laid_out(&dy.tensor));
        let feedback = feedback.map(|feedback| feedback.tensor);
        let own = feedback.as_ref().is_some_and(|feedback| feedback.data_ptr() == weight.data_ptr());
        let [dx, dw, db] = shim::convolution_backward(dy, x, weight, padding, [own, true]);
        let dx = match feedback {
            Some(feedback) if !own => {
                let [dx, ..] = shim::convolution_backward(dy, x, &feedback, padding, [true, false]);
                dx
            }
            _ => dx,
        };
        let [dw, db] = [dw, db].map(|gradient| owned(gradient.expect("it was asked for")));
        ConvGradients { x: dx.map(owned), weight: dw, bias: db }
    }
}
