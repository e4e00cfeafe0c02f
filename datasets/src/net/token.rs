//! The account's token, from where every client of the hub has it.

use std::path::PathBuf;

/// `HF_TOKEN`, the file that `HF_TOKEN_PATH` names, or `token` in `home`, the hub's folder, where `hf auth login`
/// writes it; none if `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set.
pub(super) fn token(variable: impl Fn(&str) -> Option<String>, home: Option<PathBuf>) -> Option<String> {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    if set("HF_HUB_DISABLE_IMPLICIT_TOKEN").is_some() {
        return None;
    }
    let file = |path: PathBuf| std::fs::read_to_string(path).ok();
    let found = set("HF_TOKEN")
        .or_else(|| file(set("HF_TOKEN_PATH")?.into()).filter(|token| !token.trim().is_empty()))
        .or_else(|| file(home?.join("token")))?;
    Some(found.trim().to_owned()).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_comes_before_the_files() {
        let home = tempfile::tempdir().unwrap();
        let other = home.path().join("other");
        std::fs::write(home.path().join("token"), "of the login\n").unwrap();
        std::fs::write(&other, " of the path\n").unwrap();
        let found = |variables: &[(&str, &str)]| {
            let variable = |name: &str| variables.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
            token(variable, Some(home.path().to_owned()))
        };
        let path = ("HF_TOKEN_PATH", other.to_str().unwrap());
        assert_eq!(found(&[("HF_TOKEN", "of the variable"), path]).as_deref(), Some("of the variable"));
        assert_eq!(found(&[("HF_TOKEN", ""), path]).as_deref(), Some("of the path"));
        assert_eq!(found(&[("HF_TOKEN_PATH", "/nonexistent")]).as_deref(), Some("of the login"));
        assert_eq!(found(&[("HF_TOKEN", "x"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]), None);
        std::fs::write(home.path().join("token"), "\n").unwrap();
        assert_eq!(found(&[]), None);
    }
}
