#!/usr/bin/env bash
# Everything that waits for a GPU, on a machine that has one, python3 with torch, and nothing else: no cargo, no
# network.
#
#   scripts/gpu.sh --harness BIN --out DIR [--data DIR] [--device cuda:0] [--minutes 25] [--jobs 4] [--dry]
#
# BIN is `harness`, built elsewhere with `--features tch` and stripped; LibTorch is that of this machine's torch, unless
# LIBTORCH says where another one is. DIR of --data holds data sets in their official layouts. Leaves in the folder of
# --out:
#
#   parity.md, parity.json   one step of every rule against flex; parity-bf16.md the same in mixed precision
#   results/                 Table 3's memory, Tables 1 and 2 in the short profile, and the bench beside eager PyTorch,
#                            in this order, as far as the time goes; a later call resumes
#   log.txt                  what was done when
#
# --dry does the same with few rules, small batches and the quick profile: on a CPU (--device cpu-tch) it takes minutes.
set -euo pipefail

fail() { echo "gpu.sh: $*" >&2; exit 2; }

harness='' out='' data='' device=cuda:0 minutes=25 jobs=4 dry=
while (($#)); do
  case "$1" in
    --harness) harness=${2:-}; shift ;;
    --out) out=${2:-}; shift ;;
    --data) data=${2:-}; shift ;;
    --device) device=${2:-}; shift ;;
    --minutes) minutes=${2:-}; shift ;;
    --jobs) jobs=${2:-}; shift ;;
    --dry) dry=yes ;;
    -h | --help) sed -n '1d;/^#/!q;s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) fail "unknown option $1; see --help" ;;
  esac
  shift
done
[[ -x $harness ]] || fail "--harness: no program at '$harness'"
[[ -n $out ]] || fail "--out: a folder for what is found"
mkdir -p "$out"
absolute() { echo "$(CDPATH='' cd "$(dirname "$1")" && pwd)/$(basename "$1")"; }
harness=$(absolute "$harness") out=$(absolute "$out")
command -v timeout >/dev/null || fail "GNU timeout is needed, so that nothing outlasts --minutes (macOS: coreutils)"
threads=$(getconf _NPROCESSORS_ONLN)

python=${PYTHON:-python3}
if [[ -z ${LIBTORCH:-} ]]; then
  LIBTORCH=$("$python" -c 'import os, torch; print(os.path.dirname(torch.__file__))') ||
    fail "no torch in $python; set PYTHON or LIBTORCH"
fi
export LIBTORCH CUDA_DEVICE_ORDER=PCI_BUS_ID # cuda:N is nvidia-smi's number N
export LD_LIBRARY_PATH=$LIBTORCH/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

deadline=$((SECONDS + minutes * 60))
left() { echo $((deadline - SECONDS)); }
say() { printf '%4ss  %s\n' "$SECONDS" "$*" | tee -a "$out/log.txt" >&2; }
# Runs a command for as long as there is time, its output to a file that appears whole; says how it ended, and goes on.
timed() {
  local to=$1 rc=0
  shift
  (($(left) > 5)) || { say "no time left for: $*"; return 0; }
  timeout --signal=INT "$(left)" "$@" >"$to.part" 2>>"$out/errors.txt" || rc=$?
  mv "$to.part" "$to"
  local ended=finished
  [[ $rc == 0 ]] || ended="exit $rc"
  say "$ended: ${*/#"$harness"/harness}"
}

"$harness" --version >/dev/null 2>"$out/errors.txt" ||
  fail "$harness does not start with the LibTorch of $LIBTORCH: $(tail -1 "$out/errors.txt")"
say "$("$harness" --version) on $device, $minutes minutes${dry:+, dry}"
timed "$out/doctor.txt" "$harness" doctor
command -v nvidia-smi >/dev/null && timed "$out/nvidia-smi.txt" nvidia-smi
timed "$out/parity.json" "$harness" parity --device "$device" --format json
timed "$out/parity.md" "$harness" parity --device "$device"
timed "$out/parity-bf16.md" "$harness" parity --device "$device" --precision bf16

# Processes share a card well only under NVIDIA's MPS; without it they take turns.
if command -v nvidia-cuda-mps-control >/dev/null && [[ $device == cuda:* ]]; then
  export CUDA_MPS_PIPE_DIRECTORY=$out/mps CUDA_MPS_LOG_DIRECTORY=$out/mps
  mkdir -p "$out/mps"
  nvidia-cuda-mps-control -d 2>>"$out/errors.txt" && trap 'echo quit | nvidia-cuda-mps-control' EXIT
fi

# What can be had on no other machine comes first.
profile=short
[[ -z $dry ]] || profile=quick
[[ -n $dry ]] ||
  timed "$out/table3.md" "$harness" footprint table3 --device "$device" --jobs 1 --memory 70 --results "$out/results"
for table in table1 table2; do
  timed "$out/$table.md" "$harness" table "$table" --profile "$profile" --device "$device" --jobs "$jobs" \
    --results "$out/results" ${data:+--data-dir "$data"} ${dry:+--epochs 1 --seeds 1}
done
if [[ -n $dry ]]; then
  what=(--networks mlp-3x1000 --rule BP --rule SLL --seconds 0.1 --steps 2)
else
  what=(--networks "mlp-3x1000,cnn-1,vit-7")
fi
timed "$out/bench.md" "$harness" bench --device "$device" --threads "$threads" "${what[@]}" --results "$out/results" \
  ${data:+--data-dir "$data"}
say "finished"
