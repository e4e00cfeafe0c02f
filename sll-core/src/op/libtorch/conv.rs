//! Convolutions: all gradients by one call where the signal goes back through the weight itself, as oneDNN and cuDNN have it.

use super::super::conv::{ConvGradients, ConvKernels};
use super::{owned, shim};
use burn::backend::LibTorch;
use burn::backend::libtorch::TchTensor;

impl ConvKernels for LibTorch {
    fn convolve_backward(
        x: TchTensor,
        weight: TchTensor,
        _bias: TchTensor,
        feedback: Option<TchTensor>,
        dy: TchTensor,
        padding: usize,
    ) -> ConvGradients<Self> {
        let (x, weight, dy) = (&x.tensor, &weight.tensor, &dy.tensor);
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
