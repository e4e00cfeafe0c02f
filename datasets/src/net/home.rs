//! Where the hub and its cache are, as every client of the hub has it from the environment. (hf-hub 0.5 looks at
//! `HF_HOME` alone.)

use std::path::PathBuf;

/// The hub itself.
const HUB: &str = "https://huggingface.co";

/// A variable of the environment, if it is set and not empty.
fn set(variable: &impl Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    variable(name).filter(|value| !value.is_empty())
}

/// The hub's folder: `HF_HOME`, else `$XDG_CACHE_HOME/huggingface`, else `~/.cache/huggingface`; none where there is no
/// home.
pub(super) fn home(variable: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let below = |name, path: &str| set(variable, name).map(|folder| PathBuf::from(folder).join(path));
    set(variable, "HF_HOME")
        .map(PathBuf::from)
        .or_else(|| below("XDG_CACHE_HOME", "huggingface"))
        .or_else(|| below("HOME", ".cache/huggingface"))
}

/// The folder of the hub's cache: `HF_HUB_CACHE`, else `HUGGINGFACE_HUB_CACHE`, else `hub` in [`home`].
pub(super) fn cache_dir(variable: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    set(variable, "HF_HUB_CACHE")
        .or_else(|| set(variable, "HUGGINGFACE_HUB_CACHE"))
        .map(PathBuf::from)
        .or_else(|| Some(home(variable)?.join("hub")))
}

/// The server's address, without a slash at its end: `HF_ENDPOINT`, else the hub's.
pub(super) fn endpoint(variable: &impl Fn(&str) -> Option<String>) -> String {
    set(variable, "HF_ENDPOINT").unwrap_or_else(|| HUB.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_particular_variable_comes_first() {
        let of = |variables: &[(&str, &str)]| {
            let variables: Vec<(String, String)> =
                variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            move |name: &str| variables.iter().find(|pair| pair.0 == name).map(|pair| pair.1.clone())
        };
        let cache = |variables: &[(&str, &str)]| cache_dir(&of(variables)).map(|path| path.display().to_string());
        let user = [("HOME", "/h"), ("XDG_CACHE_HOME", "/x"), ("HF_HOME", "/f"), ("HUGGINGFACE_HUB_CACHE", "/o")];
        assert_eq!(cache(&user[..1]).as_deref(), Some("/h/.cache/huggingface/hub"));
        assert_eq!(cache(&user[..2]).as_deref(), Some("/x/huggingface/hub"));
        assert_eq!(cache(&user[..3]).as_deref(), Some("/f/hub"));
        assert_eq!(cache(&user).as_deref(), Some("/o"));
        assert_eq!(cache(&[user[3], ("HF_HUB_CACHE", "/c")]).as_deref(), Some("/c"));
        assert_eq!(
            (cache(&[]), cache(&[("HF_HOME", ""), user[0]]).as_deref()),
            (None, Some("/h/.cache/huggingface/hub"))
        );
        assert_eq!(endpoint(&of(&[])), HUB);
        assert_eq!(endpoint(&of(&[("HF_ENDPOINT", "http://mirror")])), "http://mirror");
    }
}
