#!/usr/bin/env bash
# A Slurm of one node, this machine, to try cluster/slurm.py where there is none.
#
#   eval "$(cluster/slurm_one_node.sh start FOLDER [PORT])"     # sets SLURM_CONF
#   cluster/slurm_one_node.sh stop FOLDER
#
# All of it lives in FOLDER (configuration, key, sockets, logs) and on PORT and PORT + 1, and runs as
# the user who calls; a Slurm that is installed and running is neither used nor touched. Where the
# programs are missing and the caller is root they come from Debian's packages.
set -euo pipefail
umask 077
export PATH=$PATH:/usr/sbin:/sbin

fail() { echo "slurm_one_node: $*" >&2; exit 1; }
[ $# -ge 2 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 1; }
verb=$1 folder=$(realpath -m "$2") port=${3:-16817}
export SLURM_CONF=$folder/slurm.conf

# within SECONDS COMMAND...: until it succeeds.
within() {
    local end=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.3
    done
}

get_programs() {
    local missing=()
    for name in munged slurmctld slurmd sinfo sbatch; do
        command -v "$name" >/dev/null || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || fail "found no ${missing[*]}; install the packages slurm-wlm and munge"
    command -v apt-get >/dev/null || fail "found neither ${missing[*]} nor apt-get to install them"
    local _
    for _ in 1 2 3; do # another apt-get may be at it
        ! install >>"$folder/apt.log" 2>&1 || return 0
        sleep 5
    done
    fail "apt-get could not install slurm-wlm and munge; see $folder/apt.log"
}

install() {
    timeout 120 apt-get update -qq
    DEBIAN_FRONTEND=noninteractive timeout 300 apt-get install -y -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=120 slurm-wlm munge
}

configure() {
    local cpus memory
    cpus=$(nproc)
    memory=$(awk '/^MemTotal/ { print int($2 / 1024 * 0.9) }' /proc/meminfo)
    dd if=/dev/urandom of="$folder/munge.key" bs=128 count=1 status=none
    # As many processors as two workers need, even if the machine has one (config_overrides).
    cat >"$SLURM_CONF" <<END
ClusterName=one
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
KillWait=5
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$((cpus > 2 ? cpus : 2)) RealMemory=$memory State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
}

start() {
    mkdir -p "$folder"
    [ ! -e "$SLURM_CONF" ] || fail "$folder is in use; stop it first"
    [ ${#folder} -lt 90 ] || fail "$folder is too long a path for a socket"
    get_programs
    mkdir -p "$folder/state" "$folder/spool"
    configure
    # --force: munged wants its socket open to all users; here one user is all there is.
    timeout 30 munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
        --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" \
        --seed-file="$folder/munged.seed" >"$folder/start.log" 2>&1 || give_up munged
    timeout 30 slurmctld >>"$folder/start.log" 2>&1 </dev/null || give_up slurmctld
    timeout 30 slurmd >>"$folder/start.log" 2>&1 </dev/null || give_up slurmd
    within 40 idle || give_up "a node that is idle"
    echo "export SLURM_CONF=$SLURM_CONF"
}

idle() { timeout 10 sinfo --noheader --format %T | grep -q '^idle'; }

give_up() {
    tail -n 5 "$folder"/{start,munged,slurmctld,slurmd}.log >&2 2>/dev/null || true
    stop >&2
    fail "did not get $1"
}

no_jobs() { [ -z "$(timeout 10 squeue --noheader)" ]; }

stop() {
    local name pid
    if [ -e "$folder/slurmctld.pid" ]; then
        timeout 10 scancel --user "$(id -un)" || true
        within 20 no_jobs || true
    fi
    for name in slurmd slurmctld munged; do
        pid=$(cat "$folder/$name.pid" 2>/dev/null) || continue
        # The number may have been given to another process since.
        grep -qs "$name" "/proc/$pid/cmdline" || continue
        kill "$pid" 2>/dev/null || true
        within 15 gone "$pid" || kill -9 "$pid" 2>/dev/null || true
    done
    rm -f "$folder"/*.pid "$SLURM_CONF"
    echo "stopped"
}

gone() { ! kill -0 "$1" 2>/dev/null; }

case $verb in
    start) start ;;
    stop) stop ;;
    *) fail "found $verb, needed start or stop" ;;
esac
