#!/usr/bin/env bash
# Makes LibTorch 2.9.1 ready from PyPI's torch, in a folder of its own, and prints the environment to build and run
# with:
#
#   eval "$(scripts/libtorch.sh)"              for the CPU (about 900 MB to download, 500 MB on disk)
#   eval "$(scripts/libtorch.sh --cuda)"       for CUDA 12.8 too (about 3.5 GB to download, 6 GB on disk)
#   scripts/libtorch.sh --dir DIR ...          elsewhere than $SLL_LIBTORCH or ~/.cache/sll-libtorch
#
# A folder once made is used again. Every wheel is checked against its digest (libtorch-cpu.txt, libtorch-cuda.txt).
# Needs Linux on x86-64 and python3 with pip. With another LibTorch 2.x set LIBTORCH, LIBTORCH_BYPASS_VERSION_CHECK=1
# and LD_LIBRARY_PATH yourself, and do without this script.
set -euo pipefail
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)

fail() { echo "libtorch.sh: $*" >&2; exit 3; }
wrong() { echo "libtorch.sh: $*" >&2; exit 2; }

kind=cpu
root=${SLL_LIBTORCH:-${XDG_CACHE_HOME:-$HOME/.cache}/sll-libtorch}
while (($#)); do
  case "$1" in
    --cpu) kind=cpu ;;
    --cuda) kind=cuda ;;
    --dir) [[ -n ${2:-} ]] || wrong "--dir needs a folder"; root=$2; shift ;;
    -h | --help) sed -n '1d;/^#/!q;s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) wrong "unknown option $1; see --help" ;;
  esac
  shift
done

make() {
  local folder=$1 partial wheels=(-r "$here/libtorch-cpu.txt")
  [[ $(uname -sm) == "Linux x86_64" ]] ||
    fail "PyPI's torch is used on Linux x86-64 only (this is $(uname -sm)); set LIBTORCH instead"
  python3 -m pip --version >/dev/null 2>&1 ||
    fail "python3 with pip is needed; or unpack LibTorch 2.9 yourself and set LIBTORCH"
  [[ $kind == cpu ]] || wheels+=(-r "$here/libtorch-cuda.txt")
  mkdir -p "$root"
  exec 9>"$root/.lock"
  flock 9 # another one may be at it
  [[ ! -e $folder ]] || return 0
  partial=$(mktemp -d "$root/.partial-XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  echo "libtorch.sh: fetching LibTorch 2.9.1 for $kind to $folder ..." >&2
  python3 -m pip install --quiet --no-deps --require-hashes --only-binary=:all: --python-version 312 \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux2014_x86_64 \
    --target "$partial" "${wheels[@]}" >&2 || fail "pip could not fetch the wheels; see above"
  [[ $kind == cuda ]] || rm -f "$partial"/torch/lib/*cuda* "$partial"/torch/lib/*nvshmem* "$partial"/torch/lib/*nvrtc*
  # Of torch's Python side only the libraries and headers are used.
  find "$partial/torch" -mindepth 1 -maxdepth 1 ! -name lib ! -name include -exec rm -rf {} +
  rm -rf "${partial:?}"/{bin,functorch,torchgen} "$partial"/torch/lib/libtorch_python.so
  echo 2.9.1 >"$partial/torch/build-version"
  mv -T "$partial" "$folder" # whole or not at all
  trap - EXIT
}

folder=$root/2.9.1-$kind
# What CUDA has serves the CPU as well.
[[ $kind == cpu && ! -e $folder && -e $root/2.9.1-cuda ]] && folder=$root/2.9.1-cuda
[[ -e $folder ]] || make "$folder"
cat <<EOF
export LIBTORCH='$folder/torch'
export LIBTORCH_BYPASS_VERSION_CHECK=1
export LD_LIBRARY_PATH='$folder/torch/lib'\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}
EOF
