#!/usr/bin/env bash
# Reproduces the paper's tables and sweeps.
#
#   ./reproduce.sh table1 [options]      a table: table1, table2, table3-accuracy (vision transformers), small-cnn
#                                        (appendix), rules-mlp (every rule, one MLP)
#   ./reproduce.sh calibration [options] every rule in its own authors' setting, beside their numbers, with a verdict
#   ./reproduce.sh theorem1 [options]    Theorem 1's two sides and the angle to BP's update, measured layer by layer
#   ./reproduce.sh representations       Figure 3 and the claims about geometry and compression, by numbers; features:
#                                        Figure 5's kernels and weights
#   ./reproduce.sh sweep NAME [options]  a sweep of `harness sweep --help`, like figure4b, figure4c, ablation_width, or
#                                        tune-ff: how FF's settings were chosen, on held-out training images
#   ./reproduce.sh figures [options]     training memory against depth: Figures 2a (MLP), 2b (conv), 2c (ViT)
#   ./reproduce.sh table3 [options]      Table 3's memory column, at the paper's sizes
#   ./reproduce.sh bench [options]       the time of every rule's step beside eager PyTorch's and the machine's floor
#   ./reproduce.sh pipeline [options]    units of a local rule trained at once, beside steps one after the other
#   ./reproduce.sh report [FOLDER]       all of a results folder as one page for a browser, report.html in it
#   ./reproduce.sh all [options]         every table, figure and ablation, the calibration, and the page of them
#
# Options are those of the harness: --profile quick|short|paper, --device flex|cpu-tch|cuda:N, --data-dir DIR, --seeds
# N, --epochs N, --jobs N, --allow-unverified, --results DIR, and but for bench, pipeline and report --dry-run.
# Folders are those of where it is called: results go to ./results there, those of the quick profile to
# ./results/quick (results/README.md says how it is arranged). It builds with the same settings as `cargo test`, whose
# dependencies are optimised, so that one build serves both. LibTorch's devices fetch LibTorch by themselves
# (scripts/libtorch.sh), unless LIBTORCH says where one is. Memory (figures, table3) needs no data and takes --device,
# --results, --jobs, --memory GIB, --extrapolate and --dry-run; of others, `all` hands it --device, --results and
# --dry-run, and --extrapolate in the quick profile. The page takes --results; a dry run writes none.
set -euo pipefail

# The folder of this script, links followed: macOS has no `readlink -f`.
folder() {
  local file=$1 target
  while [[ -L $file ]]; do
    target=$(readlink "$file")
    case $target in
      /*) file=$target ;;
      *) file=$(dirname "$file")/$target ;;
    esac
  done
  CDPATH='' cd -P "$(dirname "$file")" && pwd
}
root=$(folder "${BASH_SOURCE[0]}")

usage() { sed -n '1d;/^#/!q;s/^# \{0,1\}//p' "$root/reproduce.sh"; }

what=${1:-}
case "$what" in
  "" | -h | --help) usage; exit 0 ;;
esac
shift

# LibTorch, where a device needs it: the one that LIBTORCH names, or else one made ready from PyPI.
features=() libtorch=
case " $* " in
  *" --device cuda:"* | *" --device=cuda:"*) libtorch=--cuda ;;
  *" --device cpu-tch "* | *" --device=cpu-tch "*) libtorch=--cpu ;;
esac
if [[ -n $libtorch ]]; then
  features=(--features tch)
  if [[ -z ${LIBTORCH:-} ]]; then
    environment=$("$root/scripts/libtorch.sh" "$libtorch")
    eval "$environment"
  fi
  export CUDA_DEVICE_ORDER=${CUDA_DEVICE_ORDER:-PCI_BUS_ID} # cuda:N is nvidia-smi's number N
fi

echo "building: about 9 minutes the first time on two cores, seconds after that; cargo says what it does" >&2
program=$(cargo build --manifest-path "$root/Cargo.toml" -p harness ${features[@]+"${features[@]}"} \
  --message-format=json-render-diagnostics | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
[[ -x $program ]] || { echo "reproduce.sh: cargo built no program that can be run ('$program')" >&2; exit 3; }
harness() { "$program" "$@"; }

figures=(figure2a figure2b figure2c)
tables=(table1 table2 table3-accuracy small-cnn rules-mlp calibration theorem1 representations features)
sweeps=(figure4b figure4c)
for name in width depth projection projection_seed alignment dropout; do sweeps+=("ablation_$name"); done
# The options that memory experiments share with tables, into `memory`, and those of the page, into `page`; the quick
# profile measures no real batch.
memory=()
page=()
dry=
shared() {
  while (($#)); do
    case "$1" in
      --results) page+=("$1" "${2:-}") memory+=("$1" "${2:-}"); shift ;;
      --device) memory+=("$1" "${2:-}"); shift ;;
      --results=*) page+=("$1") memory+=("$1") ;;
      --device=*) memory+=("$1") ;;
      --dry-run) memory+=("$1") dry=1 ;;
      --profile) [[ ${2:-} != quick ]] || memory+=(--extrapolate); shift ;;
      --profile=quick) memory+=(--extrapolate) ;;
    esac
    shift
  done
}

# One part of `all`. What fails (1), or misses data (3), is told at the end and stops no other part.
failed=() status=0
part() {
  local code=0
  harness "$@" || code=$?
  case $code in
    0) ;;
    1 | 3) failed+=("$1 ${2:-}") status=$code ;;
    *) exit "$code" ;;
  esac
}

case "$what" in
  sweep) harness sweep "$@" ;;
  figures) harness footprint "${figures[@]}" "$@" ;;
  table3) harness footprint table3 "$@" ;;
  bench) harness bench "$@" ;;
  pipeline) harness pipeline "$@" ;;
  report) harness report "$@" ;;
  all)
    for name in "${tables[@]}"; do part table "$name" "$@"; done
    for name in "${sweeps[@]}"; do part sweep "$name" "$@"; done
    shared "$@"
    part footprint "${figures[@]}" table3 ${memory[@]+"${memory[@]}"}
    [[ -n $dry ]] || part report ${page[@]+"${page[@]}"}
    for name in ${failed[@]+"${failed[@]}"}; do
      echo "reproduce.sh: $name is not complete; what it said is above, and the same command goes on from there" >&2
    done
    exit "$status"
    ;;
  *) harness table "$what" "$@" ;;
esac
