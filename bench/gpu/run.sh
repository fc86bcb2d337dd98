#!/usr/bin/env bash
# Builds on a machine with a GPU and measures there, the rows of README.md's table that a call names, in turn:
#   bench/gpu/run.sh build         libtorch of the machine's Python; kernels, glue, addon, GPU tests, op benchmarks
#   bench/gpu/run.sh tests         the native tests on the GPU
#   bench/gpu/run.sh ROW [ROW …]   kernels | loss | grpo-16 | grpo-256 | decode | training | agreement | sampler | demo | grpo-7b-…
#   bench/gpu/run.sh tests grpo-16 decode --peer none    options of bench/run.mjs, for rows that it has
# Every call builds what is missing first, a row stays below ten minutes on a machine of that kind, and goes on from finished
# trials when it is given again; a row that fails does not keep the next ones. Results are JSON, in $OUT where that is set, else in
# bench/results; trials.tar there has the finished trials of rows that were cut off, which another machine goes on from when it
# lies in build/gpu-carry. What the machine lacks (Node, the package's dependencies, TRL) comes from there too: bench/gpu/carry.mjs
# packs it.
set -euo pipefail
cd "$(dirname "$0")/../.."

rows=()
while [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; do
  rows+=("$1")
  shift
done
[ ${#rows[@]} -gt 0 ] || { echo "usage: bench/gpu/run.sh build|tests|ROW [ROW …] [options of the rows]" >&2; exit 2; }
carry=build/gpu-carry
work="$(realpath -m "${VSGRPO_GPU_WORK:-/tmp/vsgrpo-gpu}")"
results="${OUT:-bench/results}"
python="${VSGRPO_PEER_PYTHON:-$(command -v python3)}"
build="$work/build"
trials=cache/vsgrpo/bench/partial
export CUDACXX="${CUDACXX:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}"
mkdir -p "$work" "$results"

unpack() {
  [ -d "$carry" ] || { echo "error: $carry is missing; pack it with: node bench/gpu/carry.mjs" >&2; exit 1; }
  # One archive per part; a part that changed is unpacked again.
  for archive in "$carry"/*.tar.xz; do
    local mark="$work/$(basename "$archive").done"
    [ "$mark" -nt "$archive" ] && continue
    # By Python: a bare machine may lack xz.
    "$python" -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2], filter="fully_trusted")' "$archive" "$work"
    touch "$mark"
  done
  [ -d "$work/cache" ] || [ ! -f "$carry/trials.tar" ] || tar -C "$work" -xf "$carry/trials.tar"
  # dist is reached through a link, and looks for the package that it belongs to above where it really is.
  cp package.json "$work/"
  [ -e node_modules ] || ln -s "$work/node_modules" node_modules
  [ -e dist ] || ln -s "$work/dist" dist
}

# TRL, for the rows that have a peer.
unpack_wheels() {
  [ -e "$work/site.done" ] && return
  "$python" -m pip install --quiet --no-index --no-deps --no-compile --target "$work/site" "$carry"/wheels/*.whl
  touch "$work/site.done"
}

torch_folder() {
  "$python" -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])'
}

compile() {
  local headers="$work/node_modules"
  cmake -G Ninja -S . -B "$build" -DVSGRPO_LIBTORCH="$(torch_folder)" -DVSGRPO_CUDA=ON -DVSGRPO_TESTS=ON -DVSGRPO_BENCH=ON \
    "-DCMAKE_JS_INC=$headers/node-api-headers/include;$headers/node-addon-api" \
    -DCMAKE_LIBRARY_OUTPUT_DIRECTORY="$build/Release" > "$work/configure.log" || { tail -40 "$work/configure.log" >&2; exit 1; }
  cmake --build "$build" --target vsgrpo vsgrpo_cuda vsgrpo_gpu_tests vsgrpo_gpu_bench vsgrpo_gpu_loss > "$work/build.log" ||
    { grep -m 20 -A 5 -E 'error|FAILED' "$work/build.log" >&2; exit 1; }
}

keep_trials() {
  [ ! -d "$work/$trials" ] || tar -C "$work" -cf "$results/trials.tar" "$trials"
}

measure() {
  local row="$1"
  shift
  case "$row" in
    build) echo "built in $build" ;;
    tests) "$build/vsgrpo_gpu_tests" ;;
    kernels) "$build/vsgrpo_gpu_bench" | tee "$results/gpu-kernels.jsonl" ;;
    loss) "$build/vsgrpo_gpu_loss" | tee "$results/gpu-loss.json" ;;
    # Interrupted before the ten minutes are over, it saves a checkpoint; the same call goes on from it.
    demo) timeout --signal=INT 540 node bench/gpu/demo.mjs --work "$work/demo" --json "$results/gpu-demo.json" ;;
    *) unpack_wheels && node bench/run.mjs gpu "$row" --json "$results/gpu-$row.json" "$@" ;;
  esac
}

unpack
compile

export PATH="$work/node/bin:$PATH"
export VSGRPO_ADDON="$build/Release/vsgrpo.node"
export VSGRPO_PEER_PYTHON="$python"
export PYTHONPATH="$work/site${PYTHONPATH:+:$PYTHONPATH}"
export XDG_CACHE_HOME="$work/cache"
[ -f "$carry/commit" ] && export VSGRPO_COMMIT="$(cat "$carry/commit")"

trap keep_trials EXIT
failed=()
for row in "${rows[@]}"; do
  measure "$row" "$@" || failed+=("$row")
done
[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}" >&2; exit 1; }
