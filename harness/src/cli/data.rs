//! `harness data`: what is where, how it comes here, whether it is what it should be, and what it looks like.

use super::options::DataOptions;
use super::stdout::print;
use crate::error::{Error, Result};
use crate::remedy;
use crate::talk::say;
use clap::{Args, Subcommand};
use datasets::{
    Augment, DataError, Described, HowToDescribe, Known, LoadOptions, Manifest, Next, Policy, SIDES, Status,
};
use std::path::{Path, PathBuf};

const SOURCES: &str = "\
A data set is looked for in this order:
  1. --data-dir DIR or SLL_DATA_DIR, in the official file layouts (docs/data.md lists them)
  2. a system package (Debian: dataset-fashion-mnist)
  3. what was fetched before: SLL_CACHE, else ~/.cache/sll; and the Hugging Face hub's own cache (HF_HOME)
  4. the hub (HF_ENDPOINT names a mirror, HF_TOKEN an account for gated data), then the official archive;
     --offline forbids both. Runs and tables fetch by themselves what they need.

Content with a published digest must have it, whatever container it came in; --allow-unverified uses other content
of the data directory and marks every result. Where no digest is published, the first content seen on this machine is
written down, other content is refused, and results say `verified: false`.";

/// Options of `data`.
#[derive(Args, Debug)]
#[command(after_help = SOURCES)]
pub struct DataArgs {
    #[command(subcommand)]
    command: DataCommand,
    #[command(flatten)]
    data: DataOptions,
}

#[derive(Subcommand, Debug)]
enum DataCommand {
    /// Every data set, and where it is or what to do to have it.
    List,
    /// Bring a data set to this machine, from the hub or its official archive; runs and tables do it by themselves.
    Fetch {
        /// A name of `data list`, or a folder or manifest of your own.
        name: String,
    },
    /// Print the folder where a data set lies.
    Path {
        /// A name of `data list`, or a folder or manifest of your own.
        name: String,
    },
    /// Draw training images and what augmentation makes of them, with their classes, as a PNG.
    Show(ShowArgs),
    /// Compare the content with the official digests, file by file; of every data set found, or of one.
    Verify {
        /// A name of `data list`, or a folder or manifest of your own.
        name: Option<String>,
    },
    /// Write the manifest of a folder of your own: counts, classes, image size, mean, standard deviation, digest. The
    /// folder holds a folder of images (PNG, JPEG) for each class, or `train` and `test` (or `val`) with one for each.
    /// Of a manifest that is there already, what somebody wrote into it stays and is told; flags here beat it.
    Describe(DescribeArgs),
}

/// What `data describe` is told.
#[derive(Args, Debug)]
struct DescribeArgs {
    /// The folder.
    dir: PathBuf,
    /// Where the manifest goes; DIR/dataset.toml by default, which `--dataset DIR` reads.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The data set's name; the folder's by default.
    #[arg(long)]
    name: Option<String>,
    /// Height and width of the images; by default the shortest side of any of them, at most 224.
    #[arg(long, value_name = "PIXELS", value_parser = side)]
    size: Option<usize>,
    /// Test images in a hundred of each class, where the folder has no test images of its own; 20 by default.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=99))]
    test_percent: Option<u8>,
    /// Which images these are; 0 by default.
    #[arg(long, value_name = "SEED", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    split_seed: Option<u64>,
}

/// What `data show` draws.
#[derive(Args, Debug)]
struct ShowArgs {
    /// A name of `data list`, or a folder or manifest of your own.
    name: String,
    /// Where the PNG goes; NAME.png by default.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Which images, and how they are augmented.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Random horizontal flip.
    #[arg(long)]
    flip: bool,
    /// Random crop after padding by this many pixels.
    #[arg(long, value_name = "PIXELS", default_value_t = 0)]
    crop_padding: usize,
    /// Random resized crop.
    #[arg(long)]
    resized_crop: bool,
    /// AutoAugment's policy: cifar or imagenet.
    #[arg(long, value_name = "POLICY", value_parser = policy)]
    auto_augment: Option<Policy>,
}

fn side(text: &str) -> std::result::Result<usize, String> {
    let (least, most) = (SIDES.start(), SIDES.end());
    let inside = text.parse().ok().filter(|side| SIDES.contains(side));
    inside.ok_or_else(|| format!("{text} is not in {least}..={most}"))
}

fn policy(name: &str) -> std::result::Result<Policy, String> {
    match name {
        "cifar" => Ok(Policy::Cifar),
        "imagenet" => Ok(Policy::ImageNet),
        _ => Err("the policies are `cifar` and `imagenet`".to_string()),
    }
}

/// Runs one of the subcommands.
pub fn main(args: DataArgs) -> Result<()> {
    let options = args.data.load_options()?;
    let own = |name: &str| -> Result<String> { Ok(datasets::resolve(name, &options)?.name.clone()) };
    match args.command {
        DataCommand::List => list(&options),
        DataCommand::Fetch { name } => match datasets::fetch(&own(&name)?, &options)? {
            Status::Found { source, .. } => print(&format!("{name}: {source}")),
            _ => print(&format!("{name}: embedded in this program, nothing to fetch")),
        },
        DataCommand::Path { name } => match here(&own(&name)?, &options)? {
            Status::Found { dir, .. } => print(&dir.display().to_string()),
            Status::Embedded => {
                Err(Error::Input(format!("data set `{name}` is embedded in this program: it has no folder")))
            }
            Status::InHubCache { dir, .. } => print(&dir.display().to_string()),
            Status::Missing { looked, next } => Err(Error::Missing(format!(
                "data set `{name}` is not on this machine: {}; {}",
                looked.join(", "),
                remedy::advice(&next)
            ))),
        },
        DataCommand::Show(show) => draw(&ShowArgs { name: own(&show.name)?, ..show }, &options),
        DataCommand::Verify { name } => verify(name.as_deref().map(own).transpose()?, &options),
        DataCommand::Describe(describe) => write_manifest(&describe, &options),
    }
}

fn write_manifest(args: &DescribeArgs, options: &LoadOptions) -> Result<()> {
    let how = HowToDescribe {
        file: args.out.clone(),
        name: args.name.clone(),
        side: args.size,
        test_percent: args.test_percent,
        split_seed: args.split_seed,
    };
    let Described { text, file: path, notes } = datasets::describe(&args.dir, &how, options)?;
    notes.iter().for_each(|note| say!("{note}"));
    crate::atomic::write_atomically(&path, text.as_bytes())?;
    let manifest = Manifest::parse(&text)?;
    let ([c, h, w], counts) = (manifest.shape, manifest.counts);
    say!(
        "{}: {} classes, {} + {} images of {c}x{h}x{w}; run it with --dataset {}",
        manifest.name,
        manifest.classes,
        counts.train,
        counts.test,
        if args.out.is_none() { args.dir.display() } else { path.display() }
    );
    print(&path.display().to_string())
}

/// Where a data set is, without a network: shards in the hub's cache are made ready.
fn here(name: &str, options: &LoadOptions) -> Result<Status> {
    Ok(match datasets::status(name, options)? {
        Status::InHubCache { .. } => {
            datasets::status_or_fetch(name, &LoadOptions { online: false, ..options.clone() })?
        }
        status => status,
    })
}

fn list(options: &LoadOptions) -> Result<()> {
    for manifest in datasets::manifests() {
        let [c, h, w] = manifest.shape;
        let size = format!("{} + {} images of {c}x{h}x{w}", manifest.counts.train, manifest.counts.test);
        let state = match datasets::status(&manifest.name, options)? {
            Status::Embedded => "embedded in this program".to_string(),
            Status::Found { source, known, .. } => found(manifest, &source, &known),
            Status::InHubCache { dir, source } => in_hub_cache(&manifest.name, &dir, &source),
            // Of a data directory that was named, it is worth saying what it lacks.
            Status::Missing { looked, next } if options.data_dir.is_some() => {
                format!("missing: {}; {}", looked[0], remedy::advice(&next))
            }
            Status::Missing { next, .. } => format!("missing: {}", remedy::advice(&next)),
        };
        print(&format!("{:<20} {:>4} classes, {size:<41} {state}", manifest.name, manifest.classes))?;
    }
    Ok(())
}

/// What `data list` and `doctor` say of a data set that was found, none of which they read.
pub fn found(manifest: &Manifest, source: &str, known: &Known) -> String {
    let known = match (known, manifest.has_digest()) {
        (Known::Wrong(problem), _) => return format!("WRONG: {problem}; replace it with the official file ({source})"),
        (Known::Checked, _) => "content checked when it was fetched".to_string(),
        (Known::Seen(digest), _) => {
            let start = digest.get(..12).unwrap_or(digest);
            format!("content not checked since its first use, sha256:{start}..; {}", manifest.without_digest())
        }
        (Known::Nothing, true) => format!("content not checked; harness data verify {}", manifest.name),
        (Known::Nothing, false) => format!("content not checked; {}", manifest.without_digest()),
    };
    format!("found ({known}): {source}")
}

/// What `data list` and `doctor` say of a data set that the hub's cache has.
pub fn in_hub_cache(name: &str, dir: &Path, source: &str) -> String {
    format!(
        "in the Hugging Face cache (content not checked; `harness data fetch {name}` does, without a network, and so \
         do runs): {source}, {}",
        dir.display()
    )
}

fn draw(show: &ShowArgs, options: &LoadOptions) -> Result<()> {
    let (flip, crop_padding, resized_crop) = (show.flip, show.crop_padding, show.resized_crop);
    let augment = Augment { flip, crop_padding, resized_crop, policy: show.auto_augment };
    if let Some(problem) = augment.problem(datasets::manifest(&show.name)?.shape) {
        return Err(Error::Input(problem));
    }
    let data = datasets::load(&show.name, options)?;
    let sheet = datasets::contact_sheet(&data, augment, show.seed)?;
    say!("{}", sheet.shown);
    let path = show.out.clone().unwrap_or_else(|| format!("{}.png", show.name).into());
    crate::atomic::write_atomically(&path, &sheet.png)?;
    print(&path.display().to_string())
}

fn verify(name: Option<String>, options: &LoadOptions) -> Result<()> {
    let mut wrong = Vec::new();
    let names: Vec<String> = match name {
        Some(name) => vec![name],
        None => datasets::manifests().iter().map(|m| m.name.clone()).collect(),
    };
    let only = names.len() == 1;
    for name in &names {
        if let (Status::Missing { next, .. }, false) = (datasets::status(name, options)?, only) {
            print(&format!("{name}: not on this machine; {}", remedy::advice(&next)))?;
            continue;
        }
        let verification = match datasets::verify(name, options) {
            Err(error @ (DataError::Unknown { .. } | DataError::Interrupted { .. })) => return Err(error.into()),
            Err(error @ DataError::Missing { .. }) if only => return Err(error.into()),
            Err(error) => {
                print(&format!("{name}: {}", remedy::explain(&error)))?;
                wrong.push((name, name.clone()));
                continue;
            }
            Ok(verification) => verification,
        };
        print(&format!("{name}: {}", verification.source))?;
        for file in &verification.files {
            let state = if file.ok { "ok" } else { "WRONG" };
            let expected = file.expected.as_ref().map_or_else(String::new, |digest| format!(" expected {digest}"));
            print(&format!("  {state:<5} {}{expected}", file.file))?;
            if !file.ok {
                let problem = file.problem.as_ref().map(|problem| format!("it {problem}"));
                let found = file.found.as_ref().map(|found| format!("found {found}"));
                print(&format!("        {}", problem.or(found).unwrap_or_default()))?;
                wrong.push((name, format!("{name}: {}", file.file)));
            }
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let manifests = wrong.iter().filter_map(|(name, _)| datasets::manifest(name).ok());
    let own = manifests.filter_map(|manifest| manifest.own.as_ref()).next();
    let (what, next) = match own {
        Some(own) => ("not the content that was described", remedy::advice(&Next::Describe(own.dir.clone()).into())),
        None => (
            "not the official content",
            "replace them with the official files (what was fetched, `harness data fetch NAME` replaces)".into(),
        ),
    };
    let wrong = wrong.into_iter().map(|(_, file)| file).collect::<Vec<_>>().join(", ");
    Err(Error::Failed(format!("{what}: {wrong}; {next}, or run with --allow-unverified, which marks every result")))
}
