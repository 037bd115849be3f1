#!/usr/bin/env bash
# Runs a command beside a throw-away PostgreSQL server, for tests.
#
#   bot/postgres.sh COMMAND [ARGUMENT...]
#
# The server's data are in a temporary folder and never reach the disk for sure (fsync is off); it listens on a
# socket there and on no port. COMMAND finds the server's URL in FRONTDESK_TEST_POSTGRES, with a user who may
# make databases. When COMMAND ends, however it does, the server is stopped and its folder removed; the script
# ends with COMMAND's exit code.
#
# Where PostgreSQL is missing it is installed as bot/setup.sh installs packages. Started as root, the server
# runs as the user postgres, since it refuses to run as root.
set -euo pipefail

say() { printf 'postgres: %s\n' "$*" >&2; }

stop() {
    say "$@"
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# The folder of the newest server's programs; empty if there is none.
programs() {
    local newest
    newest=$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1)
    if [ -z "$newest" ] && has initdb && has pg_ctl; then
        newest=$(command -v initdb)
    fi
    [ -z "$newest" ] || dirname "$newest"
}

install_server() {
    local command=(apt-get install --yes --no-install-recommends postgresql)
    local by_hand="apt-get update && ${command[*]}"
    has apt-get || stop "please install PostgreSQL 15 or newer, with initdb and pg_ctl in the PATH."
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        has sudo && sudo -n true 2>/dev/null || stop "PostgreSQL is missing; as root run: $by_hand"
        as_root=(sudo -n)
    fi
    say "installing postgresql with apt-get"
    "${as_root[@]}" apt-get update --quiet=2 || stop "the package lists could not be refreshed; run: $by_hand"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "${command[@]}" --quiet=2 >/dev/null ||
        stop "apt-get could not install it; as root run: $by_hand"
}

# Runs a program of the server's as a user whom it accepts, in a folder that this user can enter.
as_server() (
    cd "$folder"
    if [ "$(id -u)" -eq 0 ]; then
        exec runuser -u postgres -- "$@"
    else
        exec "$@"
    fi
)

start_server() {
    local password
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    printf '%s\n' "$password" >"$folder/password"
    [ "$(id -u)" -ne 0 ] || chown -R postgres: "$folder"
    # Texts sort as a dictionary does, so that a column which must sort by its bytes has to say so.
    as_server "$bin/initdb" --pgdata=data --username=postgres --pwfile=password --auth=scram-sha-256 \
        --encoding=UTF8 --locale=C.UTF-8 --locale-provider=icu --icu-locale=en --no-sync >"$folder/log" 2>&1 ||
        stop "the data folder could not be made: $(tail -n 5 "$folder/log")"
    rm "$folder/password"
    local settings="-c listen_addresses='' -c unix_socket_directories='$folder' -c max_connections=200"
    settings+=" -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    as_server "$bin/pg_ctl" --pgdata=data --log=server.log --wait --silent --options="$settings" start \
        >>"$folder/log" 2>&1 ||
        stop "the server does not start: $(tail -n 5 "$folder/server.log" "$folder/log" 2>/dev/null)"
    export FRONTDESK_TEST_POSTGRES="postgres://postgres:$password@localhost/postgres?host=$folder"
}

clean_up() {
    if [ -f "$folder/data/postmaster.pid" ]; then
        as_server "$bin/pg_ctl" --pgdata=data --mode=immediate --silent stop >/dev/null 2>&1 || true
    fi
    rm -rf "$folder"
}

[ $# -gt 0 ] || stop "say what to run: bot/postgres.sh COMMAND [ARGUMENT...]"
bin=$(programs)
if [ -z "$bin" ]; then
    install_server
    bin=$(programs)
fi
[ -n "$bin" ] || stop "PostgreSQL is installed, but its initdb is not found; put it into the PATH."
folder=$(mktemp -d "${TMPDIR:-/tmp}/frontdesk-postgres.XXXXXX")
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
begun=${EPOCHREALTIME/[.,]/}
start_server
say "$("$bin/postgres" --version) started in $(((${EPOCHREALTIME/[.,]/} - begun) / 1000)) ms"
code=0
"$@" || code=$?
exit "$code"
