#!/usr/bin/env bash
# Scheduler and workers as plain processes of this machine, and their end.
#
#   cluster/by_hand.sh start --workers 4 --memory-limit 2GB
#   cluster/by_hand.sh stop
#
# `start --scheduler tcp://10.0.0.1:8786` starts workers only, for a scheduler on another machine.
# With --tls FOLDER (made by cluster/tls.sh) all of it is encrypted and only for holders of a
# certificate. Logs and process ids go to --folder, one for each cluster.
set -euo pipefail

fail() { echo "by_hand: $*" >&2; exit 1; }
usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit "$1"; }

[ $# -ge 1 ] || usage 1
verb=$1; shift
workers=2 memory=2GB host=127.0.0.1 port=8786 scheduler="" tls="" wait=60
folder=${TMPDIR:-/tmp}/xfactor-by-hand-$(id -un)
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || fail "$1: found no value after it"
    case $1 in
        --workers) workers=$2 ;;
        --memory-limit) memory=$2 ;;  # of each worker
        --host) host=$2 ;;            # address others reach this machine by
        --port) port=$2 ;;            # of the scheduler
        --scheduler) scheduler=$2 ;;
        --tls) tls=$2 ;;
        --folder) folder=$2 ;;
        --timeout) wait=$2 ;;         # seconds until all must have started
        *) fail "$1: no such option" ;;
    esac
    shift 2
done

# end FILES...: ends the processes noted in them, politely, and after 15 seconds not.
end() {
    local pids=() pid alive file
    for file in "$@"; do
        [ -e "$file" ] || continue
        pid=$(cat "$file")
        rm -f "$file"
        # The number may have been given to another process since.
        if grep -qs dask "/proc/$pid/cmdline"; then pids+=("$pid"); fi
    done
    stopped=$((stopped + ${#pids[@]}))
    [ ${#pids[@]} -gt 0 ] || return 0
    kill "${pids[@]}" 2>/dev/null || true
    for _ in $(seq 75); do
        alive=()
        for pid in "${pids[@]}"; do ! kill -0 "$pid" 2>/dev/null || alive+=("$pid"); done
        [ ${#alive[@]} -gt 0 ] || return 0
        sleep 0.2
    done
    kill -9 "${alive[@]}" 2>/dev/null || true
}

# Workers first: they say goodbye to the scheduler, and wait for an answer.
stop() {
    stopped=0
    end "$folder"/worker-*.pid
    end "$folder"/scheduler.pid
    echo "stopped $stopped processes"
}

# launch NAME COMMAND...: in the background, away from this terminal, output to the folder.
launch() {
    local name=$1; shift
    setsid nohup "$@" >"$folder/$name.log" 2>&1 </dev/null &
    echo $! >"$folder/$name.pid"
}

# await FILE TEXT: until the log has the text.
await() {
    for _ in $(seq $((wait * 5))); do
        ! grep -q "$2" "$folder/$1.log" || return 0
        kill -0 "$(cat "$folder/$1.pid")" 2>/dev/null || break
        sleep 0.2
    done
    tail -n 3 "$folder/$1.log" >&2
    stop >&2
    fail "$1 has not started; see $folder/$1.log"
}

start() {
    command -v dask >/dev/null || fail "found no dask command; python -m pip install '.[distributed]'"
    mkdir -p "$folder"
    ! ls "$folder"/*.pid >/dev/null 2>&1 || fail "$folder holds a running cluster; stop it first"
    local files=() protocol=tcp i
    if [ -n "$tls" ]; then
        [ -f "$tls/ca.pem" ] || fail "$tls/ca.pem is missing; cluster/tls.sh $tls"
        files=(--tls-ca-file "$tls/ca.pem" --tls-cert "$tls/cert.pem" --tls-key "$tls/key.pem")
        protocol=tls
        export DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=true
    fi
    if [ -z "$scheduler" ]; then
        # By default a scheduler without workers lets its clients wait for ever.
        export DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT=${DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT:-5 minutes}
        launch scheduler dask scheduler --host "$protocol://$host" --port "$port" \
            --protocol "$protocol" --no-dashboard "${files[@]}"
        await scheduler "Scheduler at:"
        scheduler=$protocol://$host:$port
    fi
    # Arrays from one heap instead of mapped one by one: see README.md, "How workers get memory".
    export MALLOC_MMAP_THRESHOLD_=${MALLOC_MMAP_THRESHOLD_:-2097152}
    export MALLOC_TRIM_THRESHOLD_=${MALLOC_TRIM_THRESHOLD_:-8388608}
    export MALLOC_ARENA_MAX=${MALLOC_ARENA_MAX:-1}
    # One thread each: the memory limit is a process's, and threads would share it.
    # A worker that has lost its scheduler for a minute ends instead of staying for ever.
    for ((i = 0; i < workers; i++)); do
        launch "worker-$i" dask worker "$scheduler" --host "$host" --nthreads 1 --protocol "$protocol" \
            --memory-limit "$memory" --no-dashboard --death-timeout 60 \
            --local-directory "$folder" "${files[@]}"
    done
    for ((i = 0; i < workers; i++)); do await "worker-$i" "Registered to:"; done
    echo "$scheduler"
}

case $verb in
    start) start ;;
    stop) stop ;;
    -h|--help) usage 0 ;;
    *) usage 1 >&2 ;;
esac
