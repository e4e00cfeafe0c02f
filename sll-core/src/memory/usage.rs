//! How much memory training takes, by category. The two lists of categories stand here alone: records, tables of
//! numbers and pages are made from them.

use serde::{Deserialize, Serialize};

/// A category of the bytes in `B`: its names, and its place.
pub struct CategoryOf<B> {
    /// In a record.
    pub key: &'static str,
    /// Its column in a table of numbers.
    pub column: &'static str,
    /// Its heading on a page.
    pub title: &'static str,
    /// Examples of what is in it, where its title does not say it.
    pub examples: Option<&'static str>,
    /// What is in it, as part of a sentence.
    pub about: &'static str,
    slot: fn(&mut B) -> &mut u64,
}

impl<B: ByCategory> CategoryOf<B> {
    /// Its bytes among `bytes`.
    pub fn of(&self, mut bytes: B) -> u64 {
        *(self.slot)(&mut bytes)
    }

    /// Its title with examples behind it.
    pub fn heading(&self) -> String {
        self.title.to_string() + &self.examples.map_or(String::new(), |examples| format!(" ({examples})"))
    }
}

/// Bytes by category.
///
/// ```
/// use sll_core::memory::{ByCategory, StandingBytes};
///
/// let bytes = StandingBytes { parameters: 400, fixed: 20, ..StandingBytes::default() };
/// let held = StandingBytes::CATEGORIES.iter().filter(|category| category.of(bytes) > 0);
/// assert_eq!(held.map(|category| category.of(bytes)).collect::<Vec<_>>(), [400, 20]);
/// assert_eq!(StandingBytes::of_each(|category| 2 * category.of(bytes)).total(), 840);
/// ```
pub trait ByCategory: Copy + Default + 'static {
    /// Every category, in the order in which they are shown.
    const CATEGORIES: &'static [CategoryOf<Self>];

    /// What `bytes` gives for each category.
    fn of_each(mut bytes: impl FnMut(&CategoryOf<Self>) -> u64) -> Self {
        let mut all = Self::default();
        for category in Self::CATEGORIES {
            *(category.slot)(&mut all) = bytes(category);
        }
        all
    }
}

/// Bytes of all categories.
fn sum<B: ByCategory>(bytes: B) -> u64 {
    B::CATEGORIES.iter().map(|category| category.of(bytes)).sum()
}

/// What is alive between two steps, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingBytes {
    /// The network's parameters.
    pub parameters: u64,
    /// The optimiser's state.
    pub optimizer_state: u64,
    /// What the rule keeps besides the network, fixed or learned: projections `R`, feedback matrices `B`, heads.
    pub fixed: u64,
    /// What the tensor library keeps for itself between steps, like packing buffers of its matrix products; theory has
    /// none.
    pub library: u64,
}

impl StandingBytes {
    /// All of it.
    pub fn total(&self) -> u64 {
        sum(*self)
    }
}

impl ByCategory for StandingBytes {
    const CATEGORIES: &'static [CategoryOf<Self>] = &[
        CategoryOf {
            key: "parameters",
            column: "parameter_bytes",
            title: "parameters",
            examples: None,
            about: "live parameters",
            slot: |bytes| &mut bytes.parameters,
        },
        CategoryOf {
            key: "optimizer_state",
            column: "optimizer_state_bytes",
            title: "optimiser state",
            examples: None,
            about: "the optimiser's state",
            slot: |bytes| &mut bytes.optimizer_state,
        },
        CategoryOf {
            key: "fixed",
            column: "fixed_bytes",
            title: "fixed",
            examples: Some("R, B, heads"),
            about: "what the rule keeps fixed (R, B, heads)",
            slot: |bytes| &mut bytes.fixed,
        },
        CategoryOf {
            key: "library",
            column: "library_bytes",
            title: "library",
            examples: None,
            about: "what the tensor library keeps for itself (packing buffers)",
            slot: |bytes| &mut bytes.library,
        },
    ];
}

/// What a step held at its peak above what stood before it, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepBytes {
    /// Outputs of forward passes and the batch.
    pub activations: u64,
    /// Gradients of parameters.
    pub gradients: u64,
    /// Everything else.
    pub workspace: u64,
}

impl StepBytes {
    /// The peak.
    pub fn total(&self) -> u64 {
        sum(*self)
    }
}

impl ByCategory for StepBytes {
    /// The last is the rest.
    const CATEGORIES: &'static [CategoryOf<Self>] = &[
        CategoryOf {
            key: "activations",
            column: "activation_bytes",
            title: "activations",
            examples: None,
            about: "activations kept for the way back (the batch too)",
            slot: |bytes| &mut bytes.activations,
        },
        CategoryOf {
            key: "gradients",
            column: "gradient_bytes",
            title: "gradients",
            examples: None,
            about: "gradients of parameters",
            slot: |bytes| &mut bytes.gradients,
        },
        CategoryOf {
            key: "workspace",
            column: "workspace_bytes",
            title: "workspace",
            examples: None,
            about: "workspace (temporaries of forward, backward and optimiser)",
            slot: |bytes| &mut bytes.workspace,
        },
    ];
}

/// The memory of training by category; measured, or as theory has it. A step's bytes are what the heap is made of,
/// above what stands, at the moment when it holds most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryUse {
    /// Alive between two steps.
    #[serde(flatten)]
    pub standing: StandingBytes,
    /// What a step holds above it.
    #[serde(flatten)]
    pub step: StepBytes,
}

impl MemoryUse {
    /// Live bytes between two steps.
    pub fn standing(&self) -> u64 {
        self.standing.total()
    }

    /// The most that a step holds above what stands.
    pub fn step_peak(&self) -> u64 {
        self.step.total()
    }

    /// The most bytes that training holds at once.
    pub fn total(&self) -> u64 {
        self.standing() + self.step_peak()
    }

    /// Every category with its heading.
    pub fn parts(&self) -> Vec<(String, u64)> {
        fn of<B: ByCategory>(bytes: B) -> impl Iterator<Item = (String, u64)> {
            B::CATEGORIES.iter().map(move |category| (category.heading(), category.of(bytes)))
        }
        of(self.standing).chain(of(self.step)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that are another power of two in every category, by the categories' places.
    fn different<B: ByCategory>() -> B {
        let mut next = 1;
        B::of_each(|_| {
            next *= 2;
            next
        })
    }

    /// Every field of a record has its category, under its own name and at its own place.
    fn listed<B: ByCategory + Serialize>() {
        let bytes: B = different();
        let record = serde_json::to_value(bytes).unwrap();
        let fields = record.as_object().unwrap();
        assert_eq!(fields.len(), B::CATEGORIES.len(), "{record}");
        for category in B::CATEGORIES {
            assert_eq!(fields[category.key], category.of(bytes), "{}", category.key);
        }
        assert_eq!(sum(bytes), fields.values().map(|bytes| bytes.as_u64().unwrap()).sum::<u64>());
    }

    #[test]
    fn every_field_is_a_category() {
        listed::<StandingBytes>();
        listed::<StepBytes>();
    }

    #[test]
    fn sums_are_over_what_stands_and_what_a_step_holds() {
        let standing = StandingBytes { parameters: 1, optimizer_state: 2, fixed: 4, library: 8 };
        let step = StepBytes { activations: 16, gradients: 32, workspace: 64 };
        let bytes = MemoryUse { standing, step };
        assert_eq!((bytes.standing(), bytes.step_peak(), bytes.total()), (15, 112, 127));
        assert_eq!(bytes.parts().iter().map(|(_, part)| part).sum::<u64>(), bytes.total());
        assert_eq!(bytes.parts()[2], ("fixed (R, B, heads)".to_string(), 4));
    }

    #[test]
    fn a_record_has_all_categories_side_by_side() {
        let bytes = MemoryUse { standing: different(), step: different() };
        let text = serde_json::to_string(&bytes).unwrap();
        let whole = "{\"parameters\":2,\"optimizer_state\":4,\"fixed\":8,\"library\":16,\
                     \"activations\":2,\"gradients\":4,\"workspace\":8}";
        assert_eq!(text, whole);
        assert_eq!(serde_json::from_str::<MemoryUse>(whole).unwrap(), bytes);
    }
}
