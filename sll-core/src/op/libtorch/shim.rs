//! What `shim/kernels.cpp` calls for us.

use std::ffi::{CStr, c_char, c_void};
use tch::Tensor;
use torch_sys::C_tensor;

type Handle = *mut C_tensor;

#[allow(unsafe_code, reason = "the shim's functions; each catches what LibTorch throws")]
unsafe extern "C" {
    fn sll_libtorch_channels_last(out: *mut Handle, map: Handle) -> *mut c_char;
    fn sll_libtorch_laid_as(out: *mut Handle, values: Handle, like: Handle) -> *mut c_char;
    fn sll_libtorch_convolution_backward(
        out: *mut Handle,
        dy: Handle,
        x: Handle,
        weight: Handle,
        padding: i64,
        to_input: bool,
        to_weight: bool,
    ) -> *mut c_char;
    fn sll_libtorch_layer_norm_backward(
        out: *mut Handle,
        dy: Handle,
        x: Handle,
        mean: Handle,
        inverse: Handle,
        gamma: Handle,
    ) -> *mut c_char;
    fn sll_libtorch_batch_norm_backward(
        out: *mut Handle,
        dy: Handle,
        x: Handle,
        gamma: Handle,
        mean: Handle,
        inverse: Handle,
        epsilon: f64,
    ) -> *mut c_char;
    fn sll_libtorch_adam(
        parts: *const Handle,
        count: usize,
        rate: f64,
        beta_1: f64,
        beta_2: f64,
        epsilon: f64,
        decay: f64,
        decoupled: bool,
    ) -> *mut c_char;
    fn sll_libtorch_adamax(theta: Handle, m: Handle, u: Handle, fresh: Handle, rate: f64) -> *mut c_char;
    fn sll_libtorch_sgd(
        theta: Handle,
        gradient: Handle,
        velocity: Handle,
        rate: f64,
        momentum: f64,
        decay: f64,
    ) -> *mut c_char;
    fn free(text: *mut c_void);
}

/// The shim only reads what it is given as constant, and tch's own functions take the same pointers.
fn of(tensor: &Tensor) -> Handle {
    tensor.as_ptr().cast_mut()
}

/// # Panics
/// If LibTorch has said what went wrong: as tch's own functions do, so that the end of a card's memory is known for
/// what it is.
fn check(told: *mut c_char) {
    if told.is_null() {
        return;
    }
    // SAFETY: what is not null is a text of the shim's, to be freed by us.
    #[allow(unsafe_code, reason = "a function of the shim")]
    let text = unsafe {
        let text = CStr::from_ptr(told).to_string_lossy().into_owned();
        free(told.cast());
        text
    };
    panic!("LibTorch: {text}");
}

/// The tensors that a call hands over, in three places.
fn three(call: impl FnOnce(*mut Handle) -> *mut c_char) -> [Option<Tensor>; 3] {
    let mut out: [Handle; 3] = [std::ptr::null_mut(); 3];
    check(call(out.as_mut_ptr()));
    // SAFETY: each is null or a tensor made for us.
    #[allow(unsafe_code, reason = "a function of the shim")]
    out.map(|tensor| (!tensor.is_null()).then(|| unsafe { Tensor::from_ptr(tensor) }))
}

fn all(found: [Option<Tensor>; 3]) -> [Tensor; 3] {
    found.map(|tensor| tensor.expect("all three were asked for"))
}

fn one(found: [Option<Tensor>; 3]) -> Tensor {
    let [first, ..] = found;
    first.expect("the first was asked for")
}

/// The map `[b, c, h, w]` with its channels last in memory.
pub(super) fn channels_last(map: &Tensor) -> Tensor {
    // SAFETY: the tensor outlives the call; `out` has a place.
    #[allow(unsafe_code, reason = "a function of the shim")]
    one(three(|out| unsafe { sll_libtorch_channels_last(out, of(map)) }))
}

/// `values` as they are, or a copy, in the order in memory of `like`, which has the same shape.
pub(super) fn laid_as(values: &Tensor, like: &Tensor) -> Tensor {
    // SAFETY: as above.
    #[allow(unsafe_code, reason = "a function of the shim")]
    one(three(|out| unsafe { sll_libtorch_laid_as(out, of(values), of(like)) }))
}

/// `dx`, and `dw` with `db`, of a convolution of stride 1, as far as they are wanted.
pub(super) fn convolution_backward(
    dy: &Tensor,
    x: &Tensor,
    weight: &Tensor,
    padding: usize,
    [to_input, to_weight]: [bool; 2],
) -> [Option<Tensor>; 3] {
    let padding = padding as i64;
    // SAFETY: the tensors outlive the call; `out` has three places.
    #[allow(unsafe_code, reason = "a function of the shim")]
    three(|out| unsafe {
        sll_libtorch_convolution_backward(out, of(dy), of(x), of(weight), padding, to_input, to_weight)
    })
}

/// `dx`, `dγ`, `dβ` of layer norm of rows with these means and inverse deviations.
pub(super) fn layer_norm_backward(
    dy: &Tensor,
    x: &Tensor,
    [mean, inverse]: [&Tensor; 2],
    gamma: &Tensor,
) -> [Tensor; 3] {
    // SAFETY: as above.
    #[allow(unsafe_code, reason = "a function of the shim")]
    all(three(|out| unsafe { sll_libtorch_layer_norm_backward(out, of(dy), of(x), of(mean), of(inverse), of(gamma)) }))
}

/// `dz`, `dγ`, `dβ` of batch norm of maps with these means and inverse deviations, their own.
pub(super) fn batch_norm_backward(
    dy: &Tensor,
    z: &Tensor,
    gamma: &Tensor,
    [mean, inverse]: [&Tensor; 2],
    epsilon: f64,
) -> [Tensor; 3] {
    // SAFETY: as above.
    #[allow(unsafe_code, reason = "a function of the shim")]
    all(three(|out| unsafe {
        sll_libtorch_batch_norm_backward(out, of(dy), of(z), of(gamma), of(mean), of(inverse), epsilon)
    }))
}

/// Coefficients of Adam where the moments' corrections are in rate and `ε` already.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Corrected {
    pub rate: f64,
    pub betas: [f64; 2],
    pub epsilon: f64,
    pub decay: f64,
    pub decoupled: bool,
}

/// A step of Adam in place, of each parameter with its gradient and moments.
pub(super) fn adam(all: &mut [[Tensor; 4]], by: Corrected) {
    let Corrected { rate, betas: [beta_1, beta_2], epsilon, decay, decoupled } = by;
    let parts: Vec<Handle> = all.iter_mut().flatten().map(Tensor::as_mut_ptr).collect();
    // SAFETY: the tensors outlive the call, and those that are written to are ours alone.
    #[allow(unsafe_code, reason = "a function of the shim")]
    check(unsafe { sll_libtorch_adam(parts.as_ptr(), all.len(), rate, beta_1, beta_2, epsilon, decay, decoupled) });
}

/// `u <- max(u, fresh)`, `θ <- θ - rate m / u`, in place.
pub(super) fn adamax(theta: &mut Tensor, m: &Tensor, u: &mut Tensor, fresh: &Tensor, rate: f64) {
    // SAFETY: as above.
    #[allow(unsafe_code, reason = "a function of the shim")]
    check(unsafe { sll_libtorch_adamax(theta.as_mut_ptr(), of(m), u.as_mut_ptr(), of(fresh), rate) });
}

/// A step of gradient descent in place.
pub(super) fn sgd(theta: &mut Tensor, gradient: &Tensor, velocity: Option<&mut Tensor>, by: [f64; 3]) {
    let [rate, momentum, decay] = by;
    let velocity = velocity.map_or(std::ptr::null_mut(), Tensor::as_mut_ptr);
    // SAFETY: as above; a velocity that is null is none.
    #[allow(unsafe_code, reason = "a function of the shim")]
    check(unsafe { sll_libtorch_sgd(theta.as_mut_ptr(), of(gradient), velocity, rate, momentum, decay) });
}
