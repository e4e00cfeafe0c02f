#!/usr/bin/env bash
# Runs a small sweep on a real HyperQueue: a server and two workers of this machine, in a temporary folder. In the
# middle a task and a worker are killed, a worker is told to stop, the work is cancelled and handed over anew, and the
# server is replaced by one that has another's job under the same number; at the end every run must be there, once, with
# the numbers that this machine gives without HyperQueue.
#
#   scripts/hq-test.sh PROGRAM      the harness; exit code 77: there is no HyperQueue here
#
# Takes `hq` from PATH, or the program that HQ names.
set -euo pipefail

program=$(realpath "${1:?which program}")
# shellcheck source=scripts/same-runs.sh
source "$(dirname "$(realpath "$0")")/same-runs.sh"
say() { printf 'hq-test (%ss): %s\n' "$SECONDS" "$*" >&2; }
fail() {
  say "$*"
  exit 1
}
hq=${HQ:-$(command -v hq || true)}
if [[ -z $hq ]]; then
  say "CANNOT RUN HYPERQUEUE HERE: there is no hq; put it on PATH, or name it in HQ"
  exit 77
fi

folder=$(mktemp -d)
mkdir -p "$folder"/{bin,log,server,results,local}
ln -s "$(realpath "$hq")" "$folder/bin/hq"
PATH=$folder/bin:$PATH
export HQ_SERVER_DIR=$folder/server
say "$(hq --version)"

server=
declare -A workers=()
finish() {
  local code=$?
  hq server stop >/dev/null 2>&1 || true
  for process in $server "${workers[@]}"; do kill "$process" 2>/dev/null || true; done
  wait
  if ((code)); then
    tail -n 30 "$folder"/log/* "$folder"/results/plans/*/*.log >&2 2>/dev/null || true
  fi
  rm -rf "$folder"
}
trap finish EXIT

# Waits for up to a minute until a command succeeds.
until_true() {
  for _ in $(seq 300); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.2
  done
  return 1
}
start_server() {
  hq server start --host 127.0.0.1 >>"$folder/log/server.log" 2>&1 &
  server=$!
  until_true hq server info || fail "the server does not start"
}
start_worker() {
  hq worker start --cpus 1 --detect-resources none --work-dir "$folder/work-$1" >>"$folder/log/worker-$1.log" 2>&1 &
  workers[$1]=$!
}
start_server
start_worker one
start_worker two

export SLL_OFFLINE=1 SLL_CACHE=$folder/cache RAYON_NUM_THREADS=1
sweep=("$program" sweep --rule sll --over "network.width=64,96,128" --seeds 2 --batch 4 --epochs 20)
handed=("${sweep[@]}" --results "$folder/results" --engine hq --cpus 1 --task-minutes 0 --checkpoint-minutes 0.01)
told() { grep -Eq "$1" <<<"$("$program" status --results "$folder/results" 2>/dev/null)"; }
"${handed[@]}" 2>"$folder/log/first.log" || fail "the sweep was not submitted"
grep -q "submitted" "$folder/log/first.log" || fail "the sweep does not say that it was submitted"

# Programs of tasks that run, each the leader of its task's own session.
programs() { pgrep -f "^$program work .*$folder/results .*--line"; }
two_run() { [[ $(programs | wc -l) -ge 2 ]]; }
until_true two_run || fail "no two tasks run at once"
until_true told "2 running" || fail "status does not tell that two run"
told "6 tasks in the batch system" || fail "status does not tell of six tasks"
"${handed[@]}" 2>"$folder/log/second.log"
grep -q "nothing is submitted" "$folder/log/second.log" || fail "the same command submitted the same again"

say "killing a task"
kill -KILL "$(programs | head -n 1)"
until_true told "[0-5] tasks in the batch system" || fail "the task is not gone"
until_true two_run || fail "no other task took its place"
say "killing a worker"
before=$(programs | sort)
kill -KILL "${workers[one]}"
{ wait "${workers[one]}"; } 2>/dev/null || true
unset 'workers[one]'
one_is_gone() { [[ $(comm -12 <(echo "$before") <(programs | sort) | wc -l) -le 1 ]]; }
until_true one_is_gone || fail "the worker's task outlived it"
start_worker three
until_true two_run || fail "the new worker has no task"
say "telling a worker to stop"
kill -TERM "${workers[two]}"
wait "${workers[two]}" || true
unset 'workers[two]'
start_worker four
until_true two_run || fail "the newest worker has no task"

say "cancelling the work"
"$program" cancel --results "$folder/results" 2>"$folder/log/cancel.log" || fail "it cannot be cancelled"
none() { ! programs; }
until_true none || fail "tasks outlived their end"
told "tasks in the batch system" && fail "tasks are left in the batch system"
told " 0 running" || fail "something still runs"
told "waiting after [0-9]+ of 20 epochs" || fail "no run kept its state"

say "replacing the server by one with another's job of the same number"
hq server stop 2>>"$folder/log/client.log"
wait "$server" "${workers[@]}" || true
workers=()
start_server
start_worker five
hq submit --stdout=none --stderr=none --cpus 1 -- sleep 600 >/dev/null
"$program" cancel --results "$folder/results" 2>>"$folder/log/cancel.log" || fail "it cannot be cancelled"
# Only jobs that wait or run are listed.
grep -q '"id": 1' <<<"$(hq --output-mode=json job list)" || fail "another's job was cancelled"
hq job cancel all >>"$folder/log/client.log" 2>&1
start_worker six
"${handed[@]}" --wait >"$folder/page.md" 2>"$folder/log/last.log" || fail "the sweep failed"
say "the sweep is done; the same without HyperQueue"
"${sweep[@]}" --results "$folder/local" --jobs 2 >"$folder/local.md" 2>"$folder/log/local.log"

same_six_runs "$folder/results" "$folder/local" || fail "other runs than without HyperQueue"
cat "$folder"/results/plans/*/*.log >"$folder/log/tasks"
grep -q "resumes after step" "$folder/log/tasks" || fail "no run went on from its state"
"${handed[@]}" >/dev/null 2>"$folder/log/again.log"
grep -q "submitted" "$folder/log/again.log" && fail "the same command submitted something again"
say "all six runs are there, once, with the same numbers"
