# What .ci/run and .ci/nightly share. Sourced by bash, at the top of the repository.
set -euo pipefail

work=$(mktemp -d)
# What runs in the background ends with the script.
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
unset PYTHONDONTWRITEBYTECODE # hundreds of processes would compile the same modules
export CORSGUARD_REQUIRE_BROWSERS=1 CORSGUARD_REQUIRE_SERVERS=1

step() { printf '\n==== %s (%ss)\n' "$1" "$SECONDS"; }

# Browsers, servers and valgrind, and what is named, as far as they are missing.
install_programs() {
    local row missing=()
    for row in chromium:chromium chromedriver:chromium-driver firefox-esr:firefox-esr \
        WebKitWebDriver:webkit2gtk-driver Xvfb:xvfb nginx:nginx apache2:apache2-bin php:php-cli \
        node:nodejs npm:npm uwsgi:uwsgi-core uwsgi:uwsgi-plugin-python3 redis-server:redis-server \
        pg_ctlcluster:postgresql valgrind:valgrind "$@"; do
        command -v "${row%%:*}" >/dev/null || missing+=("${row#*:}")
    done
    if ((${#missing[@]})); then
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends "${missing[@]}"
    fi
}

# Runs a command in the background; what it writes comes out with `finish`.
begin() {
    local name=$1
    shift
    (set -e; "$@") >"$work/$name.log" 2>&1 &
    printf -v "pid_$name" %s $!
}

finish() {
    local pid="pid_$1" status=0
    wait "${!pid}" || status=$?
    cat "$work/$1.log"
    return "$status"
}

# Runs a command with what others leave of the processors, and a little more lest it starve.
in_the_background() {
    renice -n 10 -p "$BASHPID" >/dev/null
    "$@"
}

# The interpreter of that version: one on the PATH, or one that pyenv keeps.
python_of() {
    local candidate
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python; do
        if "$candidate" -c '' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    echo "Python $1 is missing" >&2
    return 1
}

build_wheel() {
    make dist DIST="$work/dist"
}

lowest=(flask==3.0.0 werkzeug==3.0.0 blinker==1.6.2 publicsuffixlist==1.0.2.20240713)

# An environment with the wheel, not the checkout, and the packages that pip is told. The pip is
# that of the checkout.
install_wheel() {
    local venv="$work/$1-$2" python
    python=$(python_of "$1")
    "$python" -m venv --without-pip "$venv"
    .venv/bin/python -m pip --python "$venv/bin/python" install --quiet \
        "$(echo "$work"/dist/*.whl)" "${@:3}"
}

# Runs tests in it. `pytest` and not `python -m pytest`, which would import the checkout.
test_wheel() {
    local venv="$work/$1-$2"
    step "Tests of the wheel on Python $1, $2 dependencies"
    "$venv/bin/python" -P -c 'import flask_corsguard; print(flask_corsguard.__file__)' |
        grep -F "$venv"
    "$venv/bin/pytest" -q -rs -p no:cacheprovider "${@:3}"
}
