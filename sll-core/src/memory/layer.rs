//! What the analytic side of memory knows of a layer.

/// What one layer holds for a batch, in values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerMemory {
    /// Its output.
    pub output: u64,
    /// Kept for the backward pass besides the layer's input and output.
    pub kept: u64,
    /// The most temporaries of the forward pass, above what is kept.
    pub forward: u64,
    /// The most temporaries of the backward pass while everything kept is still there, above it and the signal.
    pub backward: u64,
    /// Gradients of its parameters that exist at that moment.
    pub early_gradients: u64,
    /// Whether the signal at the input takes the place of the signal at the output.
    pub in_place: bool,
    /// Whether its backward pass needs nothing of its input, which is free once it has run.
    pub frees_input: bool,
}
