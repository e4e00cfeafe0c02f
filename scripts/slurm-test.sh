#!/usr/bin/env bash
# Runs a small sweep on a real Slurm: a controller and three nodes of this machine, in a temporary folder, as whoever
# calls this. In the middle a task, a task's script and a node are lost, a task is preempted, another node is drained
# and the controller restarted; at the end every run must be there, once, with the numbers that this machine gives
# without Slurm.
#
#   scripts/slurm-test.sh PROGRAM      the harness; exit code 77: no Slurm can be run here, and why
#
# Takes Debian's slurm-wlm and munge, and installs them where it may (apt-get as root).
set -euo pipefail

program=$(realpath "${1:?which program}")
# shellcheck source=scripts/same-runs.sh
source "$(dirname "$(realpath "$0")")/same-runs.sh"
say() { printf 'slurm-test (%ss): %s\n' "$SECONDS" "$*" >&2; }
cannot() {
  say "CANNOT RUN SLURM HERE: $*"
  exit 77
}

needed=(slurmctld slurmd munged sbatch squeue scontrol scancel sinfo)
missing() {
  for name in "${needed[@]}"; do PATH=$PATH:/usr/sbin:/sbin command -v "$name" >/dev/null || echo "$name"; done
}
if [[ -n $(missing) ]]; then
  if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
    cannot "there is no $(missing | tr '\n' ' ')and only root can install them (apt-get install slurm-wlm munge)"
  fi
  say "installing slurm-wlm and munge"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    slurm-wlm slurmctld slurmd slurm-client munge; } >/dev/null 2>&1 ||
    cannot "apt-get could not install slurm-wlm and munge"
  [[ -z $(missing) ]] || cannot "apt-get installed slurm-wlm and munge, and there is no $(missing | tr '\n' ' ')"
fi
PATH=$PATH:/usr/sbin:/sbin

folder=$(mktemp -d)
daemons=()
controller=
waiting=
finish() {
  local code=$?
  [[ -z $waiting ]] || kill "$waiting" 2>/dev/null || true
  scancel --user "$(id -un)" >/dev/null 2>&1 || true
  for _ in $(seq 50); do [[ -n $(squeue --noheader 2>/dev/null) ]] || break; sleep 0.2; done
  for daemon in "${daemons[@]}" $controller; do kill "$daemon" 2>/dev/null || true; done
  wait
  if ((code)) && ((code != 77)); then
    tail -n 30 "$folder"/log/*.log "$folder"/sweep.log "$folder"/results/plans/*/*.log >&2 2>/dev/null || true
  fi
  rm -rf "$folder"
}
trap finish EXIT

# Ports that nobody listens on, from a number of this process's own.
port=$((20000 + $$ % 20000))
host=$(uname -n | cut -d. -f1) me=$(id -un)
mkdir -p "$folder"/{log,state,spool,munge,results,local}
chmod 711 "$folder" "$folder/munge"
head -c 1024 /dev/urandom >"$folder/munge/key"
chmod 400 "$folder/munge/key"
cat >"$folder/slurm.conf" <<EOF
ClusterName=sll
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=$me
SlurmdUser=$me
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
KillWait=10
SchedulerParameters=batch_sched_delay=0,bf_interval=1,sched_min_interval=0
NodeName=n[1-3] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + 3))] CPUs=1 RealMemory=500
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=main Nodes=ALL Default=YES State=UP PriorityTier=1
PartitionName=urgent Nodes=n1 State=UP PriorityTier=2
EOF
export SLURM_CONF=$folder/slurm.conf

munged --foreground --force --socket="$folder/munge/socket" --key-file="$folder/munge/key" \
  --pid-file="$folder/munge/pid" --log-file="$folder/log/munged.log" --seed-file="$folder/munge/seed" \
  >"$folder/log/munged.out" 2>&1 &
daemons+=($!)
start_controller() {
  slurmctld -D >"$folder/log/slurmctld.out" 2>&1 &
  controller=$!
}
# Waits for up to a minute until a command succeeds.
until_true() {
  for _ in $(seq 300); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.2
  done
  return 1
}
until_true test -S "$folder/munge/socket" || cannot "munged does not start: $(tail -n 3 "$folder/log/munged.out")"
start_controller
until_true scontrol ping || cannot "slurmctld does not start: $(tail -n 3 "$folder/log/slurmctld.log")"
for node in n1 n2 n3; do
  slurmd -D -N "$node" >"$folder/log/$node.out" 2>&1 &
  daemons+=($!)
done
idle() { [[ $(sinfo --noheader --partition=main --Node --format=%t | grep -c '^idle$') -eq 3 ]]; }
until_true idle || cannot "the nodes do not come up: $(tail -n 3 "$folder"/log/n1.out "$folder"/log/slurmd-n1.log)"
say "a cluster of three nodes is up"

export SLL_OFFLINE=1 SLL_CACHE=$folder/cache RAYON_NUM_THREADS=1
sweep=("$program" sweep --rule sll --over "network.width=64,96,128" --seeds 2 --batch 4 --epochs 32)
"${sweep[@]}" --results "$folder/results" --engine slurm --cpus 1 --task-minutes 0 --checkpoint-minutes 0.01 --wait \
  >"$folder/page.md" 2>"$folder/sweep.log" &
waiting=$!

# Tasks that run, as `node job`; the script of a job, and the program in it, by their process ids.
running() { squeue --noheader --partition=main --states=RUNNING --format='%N %A' "$@"; }
script_of() { pgrep -f "$folder/spool/.*/job0*$1/slurm_script" | head -n 1; }
program_of() { pgrep -P "$(script_of "$1")" | head -n 1 | grep .; }
running_one() { running | grep .; }
two_run() { [[ $(running | wc -l) -ge 2 ]]; }
until_true two_run || { say "no two tasks run at once"; exit 1; }

job=$(running | head -n 1 | cut -d' ' -f2)
say "killing the program of job $job"
until_true program_of "$job" && kill -KILL "$(program_of "$job")"
job=$(running | tail -n 1 | cut -d' ' -f2)
say "telling job $job that its time is over"
# It may just have been started, and be told nothing yet.
until_true scancel --batch --signal=USR1 "$job" || { say "it cannot be told"; exit 1; }
# Of an array's own number `scontrol` shows every task.
restarts() {
  scontrol --oneliner show job "$job" | grep "^JobId=$job " | grep -o 'Restarts=[0-9]*' | cut -d= -f2
}
restarted() { [[ $(restarts) -gt 0 ]]; }
until_true restarted || { say "it did not queue itself again"; exit 1; }
say "an urgent job wants the node of another"
on_n1() { running --nodelist=n1 | grep .; }
# The task may end by itself before its node is wanted: then another one's is.
preempted() {
  until_true on_n1 || return 1
  job=$(running --nodelist=n1 | head -n 1 | cut -d' ' -f2)
  local before urgent
  before=$(restarts)
  urgent=$(sbatch --parsable --partition=urgent --ntasks=1 --output="$folder/log/urgent.log" --wrap=true) || return 1
  until_true over "$urgent" && [[ $(restarts) -gt $before ]] && told && return
  scancel "$urgent"
  return 1
}
told() { grep -Eq "preempted JobId=([0-9_]+\()?$job\)? has been requeued" "$folder/log/slurmctld.log"; }
over() {
  squeue --noheader --jobs="$1" >"$folder/log/urgent.queue" 2>&1 && [[ ! -s $folder/log/urgent.queue ]]
}
for attempt in 1 2 3 none; do
  [[ $attempt != none ]] || { say "no task is preempted and queued again"; exit 1; }
  ! preempted >/dev/null 2>&1 || break
done
say "job $job was preempted and is queued again"
node=n2
scontrol update nodename="$node" state=drain reason=test
say "$node drains; restarting the controller"
kill "$controller"
wait "$controller" || true
start_controller
until_true scontrol ping || { say "the controller does not come back"; exit 1; }
on_n3() { running --nodelist=n3 | grep .; }
until_true on_n3 || true
say "losing n3"
scontrol update nodename=n3 state=down reason=test
until_true running_one || true
job=$(running | tail -n 1 | cut -d' ' -f2)
if [[ -n $job ]]; then
  say "killing all of job $job, which nobody queues again but the sweep"
  # It may have ended since it was seen.
  script=$(script_of "$job" || true) work=$(program_of "$job" || true)
  kill -KILL "$script" "$work" "$(pgrep -P "$work" | head -n 1)" || say "a part of it has just ended"
fi
# One that has come back by itself is not brought back.
for node in n2 n3; do scontrol update nodename="$node" state=resume 2>/dev/null || true; done

wait "$waiting" || { say "the sweep failed"; exit 1; }
say "the sweep is done; the same without Slurm"
"${sweep[@]}" --results "$folder/local" --jobs 2 >"$folder/local.md" 2>"$folder/local.log"

# One core a task: one thread, as two runs at once have here.
same_six_runs "$folder/results" "$folder/local" || { say "other runs than without Slurm"; exit 1; }
"${sweep[@]}" --results "$folder/results" --engine slurm >/dev/null 2>"$folder/again.log"
grep -q "submitted" "$folder/again.log" && { say "the same command submitted something again"; exit 1; }
say "all six runs are there, once, with the same numbers; $(grep -c submitted "$folder/sweep.log") jobs were submitted"
