//! What the command line chooses of an experiment.

use super::column::Profile;
use crate::spec::DeviceName;

/// What a user may change on the command line.
#[derive(Clone, Debug)]
pub struct Choices {
    /// How much.
    pub profile: Profile,
    /// On what.
    pub device: DeviceName,
    /// Seeds in place of the profile's.
    pub seeds: Option<u64>,
    /// Epochs in place of the profile's.
    pub epochs: Option<usize>,
    /// Take data whose digest is not official.
    pub allow_unverified: bool,
    /// Plan as if every data set were on the machine: for estimates.
    pub assume_present: bool,
}
