//! Every rule keeps to what the register says its updates depend on.

use baselines::dtp::DtpConfig;
use baselines::{Reach, RuleSpec, rules};
use sll_core::laws::{self, Build};

/// The layer whose weights are changed, of a chain of five.
const CHANGED: usize = 3;

#[test]
fn updates_reach_as_far_up_as_the_register_says_and_no_further() {
    for info in rules() {
        println!("{}: {:?}", info.title, info.reach);
        // TP's first epoch trains its inverses alone; one step is taken here.
        let spec = match (info.spec)() {
            RuleSpec::Dtp(config) => RuleSpec::Dtp(DtpConfig { inverse_epochs: 0, ..config }),
            other => other,
        };
        let build: Build = &|net| spec.init(net, 3);
        let net = || laws::small_mlp(4);
        match info.reach {
            Reach::Own => laws::reaches(net, CHANGED, 0, build),
            Reach::Next => laws::reaches(net, CHANGED, 1, build),
            Reach::Output | Reach::All => laws::reaches(net, CHANGED, CHANGED, build),
        }
    }
}
