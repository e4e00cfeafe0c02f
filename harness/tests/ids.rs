//! The names of runs and weighings: what is kept under them must be found again. A new version of the numerics gives
//! other names on purpose; under the old version they stay.

use harness::spec::{MemorySpec, Request, RunSpec, name_of};

/// The version under which the names below were given.
const NUMERICS: u32 = 6;

/// Specs that stand in stores, with their names.
const RUNS: [(&str, &str); 6] = [
    (
        "dataset = \"mnist-sample\"\nnetwork = { name = \"mlp-2x800\", dropout = 0.2 }\nrule = { name = \"sll\" }\n\
         recipe = { epochs = 3, schedule = { kind = \"step\", at = [2], factor = 0.1 } }",
        "92de632133025d33",
    ),
    (
        "dataset = \"mnist\"\nseed = 1\nnetwork = { name = \"mlp-2x800\", depth = 3, width = 200, activation = \
         \"tanh\" }\n\
         rule = { name = \"dtp\", difference = false }\nrecipe = { epochs = 10, validation = 5000 }",
        "7044d49d42314e2f",
    ),
    (
        "dataset = \"cifar-10\"\ndevice = \"cpu-tch\"\n\
         network = { name = \"cnn-2\", width = 32, batch_norm = true, precision = \"bf16\" }\n\
         rule = { name = \"dfa\" }\n\
         recipe = { epochs = 200, optimizer = \"adam\", flip = true, crop_padding = 4, auto_augment = \"cifar\" }",
        "370212c89adfbc7c",
    ),
    (
        "dataset = \"imagenette-160\"\ndevice = \"cuda:1\"\nnetwork = { name = \"vit-7\", patch = 16, mean_token = \
         true }\n\
         rule = { name = \"sll\", units = 7, recompute = true }\n\
         recipe = { epochs = 100, optimizer = \"adamw\", weight_decay = 0.05, resized_crop = true, batch = 64 }",
        "26466a86a830d551",
    ),
    (
        "dataset = \"fashion-mnist\"\nallow_unverified = true\ndata_digest = \"0123\"\n\
         network = { name = \"cnn-1\", width = 8 }\nrule = { name = \"softhebb\" }\n\
         recipe = { epochs = 5, optimizer = \"sgd\", momentum = 0.9, lr = 0.1, train_limit = 1000, diagnostics = true \
         }",
        "7ab0d050f291f42f",
    ),
    (
        "dataset = \"mnist-sample\"\nnetwork = { name = \"mlp-2x800\" }\n\
         rule = { name = \"lls\", mix = \"m\", summary = \"pool2\" }\n\
         recipe = { schedule = { kind = \"cosine\" } }",
        "f7069f2cef3c55d5",
    ),
];

/// Steps that were weighed, with the digests of their specs. Their names have the code's fingerprint in them, too.
const WEIGHINGS: [(&str, &str); 4] = [
    (
        "image = [3, 32, 32]\nclasses = 10\nbatch = 128\nnetwork = { name = \"mlp-3x1000\" }\nrule = { name = \"sll\" \
         }",
        "1aaf88ed5fbe87b8",
    ),
    (
        "image = [3, 224, 224]\nclasses = 10\nbatch = 64\nsteps = 2\nnetwork = { name = \"vit-7\", depth = 12 }\n\
         rule = { name = \"bp-checkpoint\" }\noptimizer = \"adamw\"",
        "83840e0991f0ea9e",
    ),
    (
        "image = [1, 28, 28]\nclasses = 10\nbatch = 32\nnetwork = { name = \"cnn-1\", width = 8, batch_norm = true }\n\
         rule = { name = \"pepita\" }\noptimizer = \"sgd\"\nmomentum = 0.9\nthreads = 2",
        "8bfbf5015645b8ff",
    ),
    (
        "image = [3, 32, 32]\nclasses = 100\nbatch = 8\ndevice = \"cuda:0\"\n\
         network = { name = \"cnn-2\", precision = \"bf16\" }\nrule = { name = \"fa\" }",
        "bc151374cedfb3fc",
    ),
];

#[test]
fn kept_runs_are_found_under_the_names_they_had() {
    let found = RUNS.map(|(text, _)| RunSpec::from_toml(text, "test").unwrap().id_under(NUMERICS));
    assert_eq!(found, RUNS.map(|(_, id)| id));
    for (text, _) in RUNS {
        let spec = RunSpec::from_toml(text, "test").unwrap();
        assert_eq!(spec.id(), spec.id_under(spec.numerics()));
    }
}

#[test]
fn runs_of_a_rule_that_changed_have_other_names_and_all_others_keep_theirs() {
    let names_stay = |network: &str, rule: &str| {
        let text = format!("dataset = \"fashion-mnist\"\nnetwork = {{ name = \"{network}\" }}\nrule = {{ {rule} }}");
        let spec = RunSpec::from_toml(&text, "test").unwrap();
        spec.id() == spec.id_under(NUMERICS)
    };
    for network in ["mlp-2x800", "cnn-1"] {
        for rule in ["bp", "fa", "dfa", "drtp", "sll"] {
            assert!(names_stay(network, &format!("name = \"{rule}\"")), "{rule} on {network}");
        }
        for rule in ["name = \"tff\"", "name = \"similarity\"", "name = \"lls\"", "name = \"softhebb\""] {
            assert!(!names_stay(network, rule), "{rule} on {network}");
        }
    }
    let on_maps = ["sp", "ff", "lc-ff", "pepita", "sgr", "df"].map(|name| format!("name = \"{name}\"")).into_iter();
    for rule in on_maps.chain(["name = \"sll\", summary = \"pool2\"".into()]) {
        let rule = rule.as_str();
        assert!(names_stay("mlp-2x800", rule) && !names_stay("cnn-1", rule), "{rule}");
    }
}

#[test]
fn kept_weighings_are_found_under_the_names_they_had() {
    let found = WEIGHINGS.map(|(text, _)| name_of(&MemorySpec::from_table(text.parse().unwrap(), "test").unwrap()));
    assert_eq!(found, WEIGHINGS.map(|(_, id)| id));
}
