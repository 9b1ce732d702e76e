#!/usr/bin/env bash
# A certificate authority, one certificate signed by it, and a dask configuration that uses them.
#
#   cluster/tls.sh FOLDER [DAYS]
#
# FOLDER gets what every machine of the cluster needs: ca.pem, cert.pem, key.pem, dask.yaml (with
# the paths of FOLDER in it: put it at the same path everywhere). FOLDER/authority/ca-key.pem signs
# further certificates; keep it elsewhere. Whoever holds key.pem can run code on the workers.
# dask checks that a certificate is of the authority, not which host it names; so one is enough.
set -euo pipefail
umask 077  # keys are for their owner only

fail() { echo "tls: $*" >&2; exit 1; }
[ $# -ge 1 ] && [ "${1#-}" = "$1" ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 1; }
days=${2:-365}
command -v openssl >/dev/null || fail "found no openssl command; install the package openssl"
[ ! -e "$1/ca.pem" ] || fail "$1/ca.pem is there already; remove the folder to make new ones"
mkdir -p "$1/authority"
folder=$(cd "$1" && pwd)
trap 'rm -f "$folder/request.pem" "$folder/purpose"' EXIT

run() { openssl "$@" 2>"$folder/openssl.log" || { cat "$folder/openssl.log" >&2; fail "openssl $1 failed"; }; }
new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)

run req -x509 "${new_key[@]}" -days "$days" -subj "/CN=authority of a dask cluster" \
    -keyout "$folder/authority/ca-key.pem" -out "$folder/ca.pem"
run req "${new_key[@]}" -subj "/CN=dask" -keyout "$folder/key.pem" -out "$folder/request.pem"
# Scheduler, workers and clients are each both ends of some connection.
printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\n' >"$folder/purpose"
run x509 -req -in "$folder/request.pem" -CA "$folder/ca.pem" -CAkey "$folder/authority/ca-key.pem" \
    -CAcreateserial -days "$days" -extfile "$folder/purpose" -out "$folder/cert.pem"
run verify -CAfile "$folder/ca.pem" "$folder/cert.pem" >/dev/null
rm -f "$folder/openssl.log" "$folder"/*.srl

{
    printf 'distributed:\n  comm:\n    require-encryption: true\n    default-scheme: tls\n'
    printf '    tls:\n      ca-file: "%s/ca.pem"\n' "$folder"
    for role in scheduler worker client; do
        printf '      %s:\n        cert: "%s/cert.pem"\n        key: "%s/key.pem"\n' \
            "$role" "$folder" "$folder"
    done
} >"$folder/dask.yaml"
echo "made in $folder; use it with: export DASK_CONFIG=$folder/dask.yaml"
