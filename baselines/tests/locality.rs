//! Every rule keeps to what the register says its updates depend on.

use baselines::{Reach, rules};
use sll_core::laws::{self, Build};

/// The layer whose weights are changed, of a chain of five.
const CHANGED: usize = 3;

#[test]
fn updates_reach_as_far_up_as_the_register_says_and_no_further() {
    for info in rules() {
        println!("{}: {:?}", info.title, info.reach);
        let (spec, net) = (info.settings, || laws::small_mlp(4));
        let build: Build = &|net| spec.init(net, 3);
        if !info.trains_hidden {
            let (mut trained, before) = (net(), net().params());
            let after = laws::train(&mut trained, build, 0..2);
            assert_eq!(after[..4], before[..4], "{} moves a hidden layer", info.title);
            continue;
        }
        // A head that starts at zero sends nothing back in its first step; what a rule reaches, a second step doubles.
        let steps = if info.reach == Reach::Own { 2 } else { 1 };
        let reaches = |hops| laws::reaches(net, CHANGED, hops, spec.learning_epoch(), steps, build);
        match info.reach {
            Reach::Own => reaches(0),
            Reach::Next => reaches(1),
            Reach::Output | Reach::All => reaches(CHANGED),
        }
    }
}
