//! One run, described completely: what is trained, how, on what. Its digest is the run's name.

use super::recipe::Recipe;
use super::{DeviceName, MOST_SAMPLES, check_optimizer, check_precision, full_key, name_of, refusal, typed, within};
use crate::error::{Error, Result};
use crate::suggest::unknown_field;
use baselines::RuleSpec;
use datasets::DataError;
use serde::{Deserialize, Serialize};
use sll_core::NetworkSpec;

/// The `Numerics N` of CHANGELOG.md since which the same spec gives the numbers that it gives now. What changes them
/// takes the next `N`, here or in [`baselines::Rule::numerics`], so that old results are not taken for new
/// ones.
const NUMERICS: u32 = 6;
/// The same of LibTorch's devices.
const LIBTORCH_NUMERICS: u32 = 7;

/// Everything that decides a run's numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// A name of `harness data list`, or of a data set of one's own.
    pub dataset: String,
    /// Draws weights, projections, masks, order and augmentation.
    #[serde(default)]
    pub seed: u64,
    /// `flex`, `cpu-tch` or `cuda:N`.
    #[serde(default)]
    pub device: DeviceName,
    /// Run data whose digest is not the official one; every result says so.
    #[serde(default)]
    pub allow_unverified: bool,
    /// SHA-256 of the content where it is not the official one, or nobody published which that is, so that other
    /// content is another run. Filled in by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_digest: Option<String>,
    /// SHA-256 of a data set of one's own's settings: classes, shape, normalisation, split. Filled in by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_settings: Option<String>,
    /// The network.
    pub network: NetworkSpec,
    /// The learning rule.
    pub rule: RuleSpec,
    /// How it is trained.
    #[serde(default)]
    pub recipe: Recipe,
}

/// A batch that is larger than what is trained on, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SmallData {
    /// The recipe limits the images: worth a note.
    Meant(String),
    /// Nothing says so: an error.
    Mistaken(String),
}

/// No run is this long: a million passes.
pub(crate) const MOST_EPOCHS: usize = 1_000_000;
/// No layer is this wide: a million units or channels.
const MOST_WIDTH: usize = 1_000_000;
/// No data set has this many images.
const MOST_IMAGES: usize = 1_000_000_000;

impl RunSpec {
    /// Reads a spec from TOML text; `origin` names it in errors.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self> {
        let wrong = |e: toml::de::Error| Error::Input(format!("{origin}: {}", e.to_string().trim()));
        Self::from_table(text.parse().map_err(wrong)?, origin)
    }

    /// A spec from parsed TOML.
    pub fn from_table(table: toml::Table, origin: &str) -> Result<Self> {
        let elsewhere = |problem: &str| full_key(&table, unknown_field(problem)?);
        let spec: Self = typed(table.clone(), origin).map_err(|error| match error {
            Error::Input(problem) => Error::Input(match elsewhere(&problem) {
                Some(key) => format!("{problem}; did you mean `{key}`?"),
                None => problem,
            }),
            error => error,
        })?;
        spec.validate().map_err(|error| error.within(origin))?;
        Ok(spec)
    }

    /// The same with another seed; with one for all, the specs of runs that differ in nothing else are equal.
    #[must_use]
    pub fn with_seed(&self, seed: u64) -> Self {
        Self { seed, ..self.clone() }
    }

    /// Checks what can be checked without data or network.
    pub fn validate(&self) -> Result<()> {
        let recipe = &self.recipe;
        within("width", self.network.width.unwrap_or(1), 1, MOST_WIDTH)?;
        within("epochs", recipe.epochs, 1, MOST_EPOCHS)?;
        within("warmup", recipe.warmup, 0, recipe.epochs)?;
        within("batch", recipe.batch, 1, MOST_SAMPLES)?;
        within("train_limit", recipe.train_limit.unwrap_or(1), 1, MOST_IMAGES)?;
        within("validation", recipe.validation.unwrap_or(1), 1, MOST_IMAGES)?;
        if !(self.recipe.lr.is_finite() && self.recipe.lr > 0.0) {
            return Err(Error::Input(format!("`lr` = {}: must be a positive number", self.recipe.lr)));
        }
        check_optimizer(&self.recipe.optimizer())?;
        check_precision(&self.network, self.device)?;
        self.recipe.schedule.validate()?;
        let shape = match datasets::manifest(&self.dataset) {
            // A run made with a data set of one's own, which need not be here to read its result.
            Err(_) if self.data_settings.is_some() => return Ok(()),
            manifest => manifest?.shape,
        };
        self.recipe.augment().problem(shape).map_or(Ok(()), |problem| Err(Error::Input(problem)))
    }

    /// Why the rule has too few epochs, if it has: one that prepares for as long as it runs never trains its output.
    pub fn too_short(&self) -> Option<String> {
        let (key, preparation) = self.rule.preparation();
        (preparation >= self.recipe.epochs).then(|| {
            let (epochs, rule) = (self.recipe.epochs, self.rule.title());
            format!(
                "`epochs` = {epochs}: {rule} prepares for {preparation} (`{key}`) before its output is trained; take \
                 more"
            )
        })
    }

    /// How many images it trains on, by the data set's manifest.
    ///
    /// # Errors
    /// Where the recipe asks for more than there are.
    pub fn trained_on(&self) -> Result<usize> {
        let counted = datasets::manifest(&self.dataset)?.counts.train;
        let wrong = |error: DataError| Error::Input(format!("{}, in data set {}", error.problem(), self.dataset));
        Ok(datasets::parts(counted, self.recipe.validation, self.recipe.train_limit).map_err(wrong)?.1)
    }

    /// Why a batch is larger than what is trained on, if it is, and whether that is meant: with `train_limit` a run is
    /// short on purpose, and its steps take the images that there are; without it the batch is a mistake.
    pub fn small_data(&self) -> Result<Option<SmallData>> {
        let (batch, counted) = (self.recipe.batch, datasets::manifest(&self.dataset)?.counts.train);
        let images = self.trained_on()?;
        if images >= batch {
            return Ok(None);
        }
        let held_out =
            self.recipe.validation.map_or(String::new(), |held_out| format!(", {held_out} of them held out"));
        let has = format!("`batch` = {batch}: data set `{}` has {counted} training images{held_out}", self.dataset);
        Ok(Some(match self.recipe.train_limit {
            Some(limit) => {
                SmallData::Meant(format!("{has}, of which `train_limit` takes {limit}; a step takes {images}"))
            }
            None => SmallData::Mistaken(format!(
                "{has}; take a batch of at most {images} (--batch {images}), or more images"
            )),
        }))
    }

    /// Why the rule cannot run on the network, in these epochs or with batches of this size, if it cannot. Other
    /// mistakes are errors.
    pub fn unsupported(&self) -> Result<Option<String>> {
        if let Some(reason) = self.too_short() {
            return Ok(Some(reason));
        }
        if let Some(SmallData::Mistaken(reason)) = self.small_data()? {
            return Ok(Some(reason));
        }
        let manifest = datasets::manifest(&self.dataset)?;
        refusal(&self.rule, &self.network, manifest.shape, manifest.classes, false)
    }

    /// The version of the numerics, which is the later one of the device's and the rule's: within one, the same spec
    /// gives the same numbers.
    pub fn numerics(&self) -> u32 {
        let device = match self.device {
            DeviceName::Flex => NUMERICS,
            DeviceName::CpuTch | DeviceName::Cuda(_) => LIBTORCH_NUMERICS,
        };
        device.max(self.rule.numerics(&self.network))
    }

    /// The name that the spec had under an earlier version of the numerics.
    pub fn id_under(&self, numerics: u32) -> String {
        name_of(&(numerics, self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Request;

    const SPEC: &str = r#"
        dataset = "mnist-sample"
        network = { name = "mlp-2x800", dropout = 0.2 }
        rule = { name = "sll", units = 2 }
        recipe = { epochs = 3, schedule = { kind = "step", at = [2], factor = 0.1 } }
    "#;

    #[test]
    fn a_spec_survives_its_own_text_and_its_name_is_its_content() {
        let spec = RunSpec::from_toml(SPEC, "test").unwrap();
        let again = RunSpec::from_toml(&spec.to_toml(), "test").unwrap();
        assert_eq!(spec, again);
        assert_eq!(spec.id(), again.id());
        assert_ne!(spec.id(), RunSpec { seed: 1, ..spec.clone() }.id());
        assert_eq!(spec.id().len(), 16);
    }

    #[test]
    fn runs_without_diagnostics_keep_the_names_they_had_before_there_were_any() {
        let spec = RunSpec::from_toml(SPEC, "test").unwrap();
        assert!(!spec.to_toml().contains("diagnostics"), "{}", spec.to_toml());
        assert!(!spec.to_toml().contains("representations"), "{}", spec.to_toml());
        for key in ["diagnostics", "representations"] {
            let asked = SPEC.replace("epochs = 3", &format!("epochs = 3, {key} = true"));
            let asked = RunSpec::from_toml(&asked, "test").unwrap();
            assert_eq!(
                [asked.recipe.diagnostics, asked.recipe.representations],
                ["diagnostics", "representations"].map(|k| k == key)
            );
            assert_ne!(asked.id(), spec.id());
            assert_eq!(RunSpec::from_toml(&asked.to_toml(), "test").unwrap(), asked);
        }
    }

    #[test]
    fn a_warmup_longer_than_the_run_is_refused() {
        let long = RunSpec::from_toml(&SPEC.replace("epochs = 3", "epochs = 3, warmup = 4"), "test");
        assert!(long.unwrap_err().to_string().contains("warmup"));
    }

    #[test]
    fn a_batch_larger_than_the_data_is_a_mistake_unless_the_recipe_limits_them() {
        let small = |recipe: &str| {
            let text = SPEC.replace("epochs = 3", &format!("epochs = 3, {recipe}"));
            RunSpec::from_toml(&text, "test").unwrap().small_data().unwrap()
        };
        assert_eq!((small("batch = 4000"), small("batch = 50, train_limit = 50")), (None, None));
        let Some(SmallData::Mistaken(why)) = small("batch = 4001") else { panic!("taken") };
        assert!(why.contains("`batch` = 4001: data set `mnist-sample` has 4000 training images; take"), "{why}");
        let Some(SmallData::Mistaken(why)) = small("batch = 3001, validation = 1000") else { panic!("taken") };
        assert!(why.contains("1000 of them held out") && why.contains("at most 3000 (--batch 3000)"), "{why}");
        let Some(SmallData::Meant(why)) = small("batch = 128, train_limit = 32") else { panic!("refused") };
        assert!(why.contains("`train_limit` takes 32; a step takes 32"), "{why}");
    }

    #[test]
    fn unknown_keys_and_values_are_named_with_the_valid_ones() {
        let error =
            |from: &str, to: &str| RunSpec::from_toml(&SPEC.replace(from, to), "file.toml").unwrap_err().to_string();
        let unknown_key = error("units = 2", "unit = 2");
        assert!(unknown_key.contains("unit") && unknown_key.contains("align_weight"), "{unknown_key}");
        assert!(unknown_key.contains("did you mean `units`?"), "{unknown_key}");
        let unknown_rule = error("\"sll\", units = 2", "\"slll\"");
        assert!(unknown_rule.contains("slll") && unknown_rule.contains("`dfa`"), "{unknown_rule}");
        assert!(unknown_rule.contains("did you mean `sll`?"), "{unknown_rule}");
        let named = RunSpec::from_toml(&SPEC.replace("\"sll\"", "\"SLL\""), "test").unwrap();
        assert_eq!(named, RunSpec::from_toml(SPEC, "test").unwrap());
        let by_title = |title: &str| RunSpec::from_toml(&SPEC.replace("\"sll\", units = 2", title), "test");
        assert_eq!(by_title("\"sLl2+\"").unwrap(), named);
        assert_eq!(by_title("\"SGR3+\"").unwrap().rule.title(), "SGR3+");
        // What is written beside a title beats it.
        assert_eq!(by_title("\"SLL7+\", units = 2").unwrap(), named);
        assert!(by_title("\"bp2+\"").unwrap_err().to_string().contains("unknown variant `bp2+`"));
        let unknown_data = error("mnist-sample", "minst");
        assert!(unknown_data.contains("minst") && unknown_data.contains("cifar-10"), "{unknown_data}");
        assert!(unknown_data.contains("did you mean `mnist`?"), "{unknown_data}");
        let network = RunSpec::from_toml(&SPEC.replace("mlp-2x800", "mlp-2x80"), "test").unwrap();
        let unknown_network = network.unsupported().unwrap_err().to_string();
        assert!(unknown_network.contains("did you mean `mlp-2x800`?"), "{unknown_network}");
        let zero = error("epochs = 3", "epochs = 0");
        assert!(zero.contains("epochs"), "{zero}");
        assert!(error("epochs = 3", "epoch = 3").contains("file.toml"));
        for (key, value) in [("epochs", "1000001"), ("epochs", "9223372036854775807"), ("batch", "9223372036854775807")]
        {
            let large = error("epochs = 3", &format!("{key} = {value}"));
            assert!(large.contains(&format!("`{key}` = {value}: must be at most 1000000")), "{large}");
        }
        for none in ["nan", "inf", "-inf"] {
            let none = error("factor = 0.1", &format!("factor = {none}"));
            assert!(none.contains("`recipe.schedule.factor`") && none.contains("finite"), "{none}");
        }
    }
}
