#!/usr/bin/env bash
# Reproduces the paper's tables and sweeps.
#
#   ./reproduce.sh table1 [options]        a table: table1, table2, small-cnn (appendix), rules-mlp (every rule, one MLP)
#   ./reproduce.sh theorem1 [options]      Theorem 1's two sides and the angle to BP's update, measured layer by layer
#   ./reproduce.sh sweep NAME [options]    a sweep of `harness sweep --help`, like ablation_width, or tune-ff: how FF's
#                                          settings were chosen, on held-out training images
#   ./reproduce.sh all [options]           every table and ablation
#
# Options are those of the harness: --profile quick|short|paper, --device flex|cpu-tch|cuda:N, --data-dir DIR, --seeds N,
# --epochs N, --jobs N, --allow-unverified, --results DIR. It builds with the same settings as `cargo test`, whose
# dependencies are optimised, so that one build serves both.
set -euo pipefail
cd "$(dirname "$0")"

usage() { sed -n '2,12s/^# \{0,1\}//p' "$0"; }

what=${1:-}
case "$what" in
  "" | -h | --help) usage; exit 0 ;;
esac
shift

features=()
case " $* " in
  *" --device cpu-tch "* | *" --device cuda:"* | *" --device=cpu-tch "* | *" --device=cuda:"*) features=(--features tch) ;;
esac

echo "building (the first time takes some minutes) ..." >&2
cargo build --quiet -p harness ${features[@]+"${features[@]}"}
harness() { cargo run --quiet -p harness ${features[@]+"${features[@]}"} -- "$@"; }

case "$what" in
  sweep) harness sweep "$@" ;;
  all)
    for name in table1 table2 small-cnn rules-mlp theorem1; do harness table "$name" "$@"; done
    for name in width depth projection projection_seed alignment dropout; do harness sweep "ablation_$name" "$@"; done
    ;;
  *) harness table "$what" "$@" ;;
esac
