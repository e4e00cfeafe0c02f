//! What a user can get wrong: one enum, each message naming the setting and what to do next.

/// An invalid setting or combination of settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A setting has a value that it cannot take.
    #[error("`{key}` = {value}: {reason}")]
    Setting {
        /// The setting's name, as a user writes it.
        key: &'static str,
        /// The value found.
        value: String,
        /// Why it cannot be, and what can.
        reason: String,
    },
    /// Two layers of a chain do not fit together.
    #[error("layer {layer} ({name}) takes {expected} but the layer before it gives {found}; change one of the two")]
    Chain {
        /// Index of the layer that does not fit, counted from 0.
        layer: usize,
        /// The layer's name.
        name: String,
        /// What it takes.
        expected: String,
        /// What it is given.
        found: String,
    },
    /// A rule cannot run on a network.
    #[error("{rule} cannot run on this network: {reason}")]
    Unsupported {
        /// The rule's name.
        rule: String,
        /// Why not, and what to use in its place.
        reason: String,
    },
    /// A saved state does not fit the object it is loaded into.
    #[error("the saved state of {what} cannot be loaded: {reason}")]
    Record {
        /// What was being loaded.
        what: String,
        /// What went wrong.
        reason: String,
    },
    /// A tensor of a saved network cannot be used.
    #[error("tensor `{name}`: {reason}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// Checks a factor: finite and above 0.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is not.
    pub fn check_gain(key: &'static str, gain: f64) -> Result<()> {
        match gain.is_finite() && gain > 0.0 {
            true => Ok(()),
            false => Err(Error::setting(key, gain, "must be a positive number")),
        }
    }

    /// Refuses a setting that does nothing beside the others but is not at its default: whoever sets it expects an
    /// effect. `where_it_acts` says what would give it one.
    ///
    /// # Errors
    /// [`Error::Setting`] if `value` is not `default`.
    pub fn check_idle<T: PartialEq + std::fmt::Debug>(
        key: &'static str,
        value: T,
        default: T,
        where_it_acts: &str,
    ) -> Result<()> {
        match value == default {
            true => Ok(()),
            false => {
                let reason = format!("it has no effect here, only {where_it_acts}; leave it out");
                Err(Error::setting(key, format!("{value:?}"), reason))
            }
        }
    }

    /// Shorthand for [`Error::Setting`].
    pub fn setting(key: &'static str, value: impl ToString, reason: impl Into<String>) -> Self {
        Error::Setting { key, value: value.to_string(), reason: reason.into() }
    }
}

/// The crate's result type.
pub type Result<T> = std::result::Result<T, Error>;
