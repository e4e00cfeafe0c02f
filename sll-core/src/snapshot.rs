//! All that a trained network and its rule hold, by name, and back; [`crate::named`] names what is in a module.

use crate::error::{Error, Result};
use crate::learned::Kept;
use crate::named::{Named, Source, floats, joined, taken};
use crate::network::Network;
use crate::rule::LearningRule;
use burn::tensor::TensorData;

/// All that a trained network and its rule hold: `layers.<l>.<tensor>` of each layer, `rule.<part>` of what the rule
/// keeps, and `rule.feedback.<l>.<map>` of feedback weights inside layers, one row a unit or output channel.
pub fn tensors(net: &mut Network, rule: &dyn LearningRule) -> Vec<Named> {
    let mut all: Vec<Named> = net.tensors();
    for part in rule.parts() {
        match part.kept {
            Kept::Fixed(matrix) => all.push((of_rule(&part.name, ""), matrix.into_data())),
            Kept::Learned(module) => {
                all.extend(module.tensors().into_iter().map(|(name, data)| (of_rule(&part.name, &name), data)));
            }
        }
    }
    all.extend(feedback(net));
    all
}

/// Puts what [`tensors`] gave into a network and its rule as they are before their first step. What is fixed was drawn
/// again and is only compared.
///
/// # Errors
/// Names the first tensor that is missing, or of another shape, or other than the one that was drawn.
pub fn load(net: &mut Network, rule: &mut dyn LearningRule, source: &mut Source) -> Result<()> {
    net.set_tensors(source)?;
    let mut records = Vec::new();
    for part in rule.parts() {
        match part.kept {
            Kept::Fixed(matrix) => same(&of_rule(&part.name, ""), &matrix.into_data(), source)?,
            Kept::Learned(module) => {
                records
                    .push(module.record_of(&mut |name| source(&of_rule(&part.name, name)), &of_rule(&part.name, ""))?);
            }
        }
    }
    rule.load(records)?;
    // Rules that give feedback the present signs of the weights have other values there after their next step only.
    feedback(net).into_iter().try_for_each(|(name, drawn)| taken(&name, drawn.shape(), source).map(drop))
}

fn of_rule(part: &str, tensor: &str) -> String {
    joined(&["rule", part, tensor])
}

fn feedback(net: &mut Network) -> Vec<Named> {
    let slots = net.weights().into_iter().enumerate();
    let slots =
        slots.flat_map(|(layer, slots)| slots.into_iter().enumerate().map(move |(map, slot)| (layer, map, slot)));
    slots
        .filter_map(|(l, map, slot)| Some((format!("rule.feedback.{l}.{map}"), slot.feedback_rows()?.into_data())))
        .collect()
}

/// Checks that the values called `name` are `drawn`, up to what another machine's library rounds otherwise.
fn same(name: &str, drawn: &TensorData, source: &mut Source) -> Result<()> {
    let found = taken(name, drawn.shape(), source)?;
    let (found, drawn) = (floats(found), floats(drawn.clone()));
    let largest = drawn.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    match found.iter().zip(&drawn).all(|(found, drawn)| (found - drawn).abs() <= 1e-5 * largest) {
        true => Ok(()),
        false => {
            let reason = "it is not what this version draws from the seed; use the version that wrote it".into();
            Err(Error::Tensor { name: name.into(), reason })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::laws;

    #[test]
    fn a_fixed_matrix_that_is_drawn_otherwise_is_refused() {
        let build = |seed| {
            let net = laws::small_mlp(2);
            let sll = crate::sll::SllConfig::default().init(&net, seed).unwrap();
            (net, sll)
        };
        let ((mut net, sll), (mut other, mut rule)) = (build(1), build(2));
        let mut all: std::collections::HashMap<_, _> = tensors(&mut net, &sll).into_iter().collect();
        let error = load(&mut other, &mut rule, &mut |name| all.remove(name)).unwrap_err().to_string();
        assert!(error.contains("`rule.projections.0`") && error.contains("seed"), "{error}");
    }
}
