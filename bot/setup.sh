#!/usr/bin/env bash
# Sees to it that what Frontdesk is built with is installed. Run again it finds nothing to do.
#
#   bot/setup.sh            what building and running needs
#   bot/setup.sh --tests    what the tests need as well
#
# It also writes .cargo/config.toml, by which llama.cpp is compiled for this machine's processor.
#
# On Debian and Ubuntu missing packages are installed with apt-get, as root or through a sudo that
# asks for no password. Elsewhere, or without such rights, it says what to run and ends with 1.
set -euo pipefail

readonly NODE_AT_LEAST=20
readonly NODE_FETCHED=22
readonly RUST_AT_LEAST=95 # of 1.x; rust-toolchain.toml names the exact one
readonly NODE_DIR="${XDG_CACHE_HOME:-$HOME/.cache}/frontdesk/node"

missing=()

has() { command -v "$1" >/dev/null 2>&1; }

say() { printf 'setup: %s\n' "$*" >&2; }

stop() {
    say "$@"
    exit 1
}

# need PACKAGE TEST [ARGUMENT...]: notes the package as missing if the test fails.
need() {
    local package=$1
    shift
    "$@" || missing+=("$package")
}

has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] || compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null ||
        compgen -G '/usr/lib*/libclang.so*' >/dev/null ||
        compgen -G '/usr/lib/*/libclang*.so*' >/dev/null
}

has_pip() { has pip3 || has pip || python3 -m pip --version >/dev/null 2>&1; }

look_for_packages() {
    need git has git
    need cmake has cmake
    need g++ has c++
    need clang has clang
    need libclang-dev has_libclang
    need python3 has python3
    need python3-pip has_pip
    need nodejs has node
    need npm has npm
    if [ "${1:-}" = --tests ]; then
        need chromium has chromium
    fi
}

install_packages() {
    local command=(apt-get install --yes --no-install-recommends "${missing[@]}")
    local by_hand="apt-get update && ${command[*]}"
    has apt-get || stop "please install ${missing[*]} (Debian's names) and run this again."
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        has sudo && sudo -n true 2>/dev/null ||
            stop "some packages are missing; as root run: $by_hand"
        as_root=(sudo -n)
    fi
    say "installing ${missing[*]} with apt-get"
    "${as_root[@]}" apt-get update --quiet=2 || stop "the package lists could not be refreshed; run: $by_hand"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "${command[@]}" --quiet=2 >/dev/null ||
        stop "apt-get could not install them; as root run: $by_hand"
}

# Distributions ship older ones than the widget's tools ask for: then a newer one of our own.
look_for_node() {
    local version
    PATH="$NODE_DIR/node_modules/.bin:$PATH"
    version=$(node --version 2>/dev/null || echo v0)
    version=${version#v}
    [ "${version%%.*}" -lt "$NODE_AT_LEAST" ] || return 0
    say "Node.js $version is too old, fetching version $NODE_FETCHED into $NODE_DIR"
    npm install --loglevel=error --no-audit --no-fund --prefix "$NODE_DIR" "node@$NODE_FETCHED" ||
        stop "Node.js $NODE_AT_LEAST or newer is needed; please install it and run this again."
}

look_for_rust() {
    local how="install Rust with: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
    has cargo || stop "Rust is missing; $how"
    # With rustup this also installs the version that rust-toolchain.toml names.
    local version
    version=$(cargo --version | cut -d' ' -f2) || stop "cargo does not run; $how"
    local minor=${version#*.}
    [ "${minor%%.*}" -ge "$RUST_AT_LEAST" ] ||
        stop "Rust $version is too old, 1.$RUST_AT_LEAST is needed; $how"
}

# llama.cpp is compiled for the processor of this machine, which reads prompts about a fifth faster where
# it has AVX-512, and tuned for it, which writes several replies at once a twelfth faster. Every switch is set,
# on or off: cargo then builds llama.cpp again on another machine. The program says so at its start if it is
# carried to a processor that lacks what it was built for, but for AMX, which llama.cpp asks for itself.
write_processor() {
    [ "$(uname -m)" = x86_64 ] && [ -r /proc/cpuinfo ] || return 0
    local flags file=.cargo/config.toml
    flags=" $(sed -n 's/^flags[^:]*: //p;T;q' /proc/cpuinfo) "
    # switch NAME FLAG...: whether the processor has every FLAG.
    switch() {
        local name=$1 state=ON flag
        shift
        for flag in "$@"; do
            case "$flags" in *" $flag "*) ;; *) state=OFF ;; esac
        done
        printf 'GGML_%s = "%s"\n' "$name" "$state"
    }
    local text
    text=$(
        printf '# Written by bot/setup.sh for the processor of this machine.\n[env]\n'
        switch SSE42 sse4_2
        switch AVX avx
        switch AVX2 avx2
        switch BMI2 bmi2
        switch F16C f16c
        switch FMA fma
        switch AVX_VNNI avx_vnni
        switch AVX512 avx512f avx512cd avx512vl avx512dq avx512bw
        switch AVX512_VBMI avx512f avx512vbmi
        switch AVX512_VNNI avx512f avx512_vnni
        switch AVX512_BF16 avx512f avx512_bf16
        switch AMX_TILE amx_tile
        switch AMX_INT8 amx_tile amx_int8
        # GCC 12 takes AMX's set-up to be 8 bytes long and drops the stores to the rest (its bug 114098).
        local stores=
        case "$flags" in *' amx_int8 '*) stores=' -fno-tree-dse -fno-dse' ;; esac
        # In place of the flags that the build script would pass, the others of which are these.
        for language in C CXX; do
            printf 'CMAKE_%s_FLAGS = "-ffunction-sections -fdata-sections -fPIC -m64 -w -mtune=native%s"\n' \
                "$language" "$stores"
        done
    )
    [ "$text" != "$(cat "$file" 2>/dev/null)" ] || return 0
    mkdir -p .cargo
    printf '%s\n' "$text" >"$file"
}

case "${1:-}" in
    '' | --tests) ;;
    *) stop "the only option is --tests" ;;
esac
cd "$(dirname "$0")/.."
PATH="$HOME/.cargo/bin:$PATH"
look_for_packages "${1:-}"
if [ ${#missing[@]} -gt 0 ]; then
    install_packages
fi
look_for_node
look_for_rust
write_processor
