//! Values of flags.

use datasets::LoadOptions;

/// A whole number from a flag as TOML has it, whose own are signed; larger ones are refused as too large by the spec.
pub fn whole(value: usize) -> toml::Value {
    toml::Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

/// A flag's whole number.
pub fn count(text: &str) -> std::result::Result<usize, String> {
    text.parse().map_err(|_| format!("write a whole number, not `{text}`"))
}

/// A seed; TOML's numbers are signed.
pub fn seed(text: &str) -> std::result::Result<u64, String> {
    let known = text.parse().ok().filter(|seed| i64::try_from(*seed).is_ok());
    known.ok_or_else(|| format!("write a whole number from 0 to {}, not `{text}`", i64::MAX))
}

/// What goes into a network.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// Channels, height, width.
    pub image: [usize; 3],
    /// Classes, where a data set says how many.
    pub classes: Option<usize>,
}

/// Sizes like `3x32x32`, or those of a data set: a name of `data list`, or a folder or manifest.
pub fn input(text: &str) -> std::result::Result<Input, String> {
    sizes(text).map(|image| Input { image, classes: None }).or_else(|wrong| {
        let stop = datasets::Stop::new(crate::interrupt::requested);
        match datasets::resolve(text, &LoadOptions { stop, ..LoadOptions::default() }) {
            Ok(manifest) => Ok(Input { image: manifest.shape, classes: Some(manifest.classes) }),
            Err(datasets::DataError::Unknown { .. }) => Err(format!("{wrong}, or name a data set")),
            Err(error) => Err(crate::remedy::explain(&error)),
        }
    })
}

/// Three sizes like `3x32x32`, each at least 1.
pub fn sizes(text: &str) -> std::result::Result<[usize; 3], String> {
    let size =
        |part: &str| part.parse().ok().filter(|&size| size > 0 && part.bytes().all(|byte| byte.is_ascii_digit()));
    let sizes: Option<Vec<usize>> = text.split('x').map(size).collect();
    let sizes = sizes.and_then(|sizes| <[usize; 3]>::try_from(sizes).ok());
    sizes.ok_or_else(|| format!("write it as CxHxW, like 3x32x32, not `{text}`"))
}
