#!/bin/sh
# Installs the peers at the versions they are compared at, each in an environment of its own, into
# $PEERS_DIR (default: pipeline-bench in the temporary directory). Takes minutes; may be repeated.
# Needs: Python 3.11, 3.12 and 3.13 (PYTHON, PYTHON312, PYTHON313 name them), node 20 and npm.
# As root on Debian it also installs redis-server.
set -eu
dir=${PEERS_DIR:-${TMPDIR:-/tmp}/pipeline-bench}

# The newest interpreter of a minor version: from the path, or from pyenv.
find_python() {
    command -v "python$1" || ls -d "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python 2>/dev/null | tail -1
}
python311=${PYTHON:-$(find_python 3.11)}
python312=${PYTHON312:-$(find_python 3.12)}
python313=${PYTHON313:-$(find_python 3.13)}

for need in node npm; do
    command -v $need >/dev/null || { echo "bench/setup.sh: $need is missing" >&2; exit 1; }
done
command -v redis-server >/dev/null || apt-get install -y redis-server

# venv NAME PYTHON PACKAGES...
venv() {
    name=$1 python=$2; shift 2
    [ -n "$python" ] || { echo "bench/setup.sh: no Python for $name" >&2; return 1; }
    [ -d "$dir/venvs/$name" ] || "$python" -m venv "$dir/venvs/$name"
    "$dir/venvs/$name/bin/pip" install -q --disable-pip-version-check "$@"
}
fast='hiredis==3.5.0 uvloop==0.23.0'

mkdir -p "$dir/venvs" "$dir/node"
# The peers that the bars are set against.
venv mayu     "$python313" mayu==0.2.5 uvloop==0.23.0
venv cauli    "$python311" cauli==0.1.0 cauli-worker==0.1.0 $fast
venv blitzq   "$python312" blitzq==1.1.0 $fast
venv tarsk    "$python311" tarsk-redis==0.2.1
venv dramatiq "$python311" 'dramatiq[redis]==2.2.1' hiredis==3.5.0
(cd "$dir/node" && { [ -f package.json ] || npm init -y >/dev/null; } \
    && npm install --silent --save-exact bullmq@6.7.0 ioredis@6.0.0)
[ "${1:-all}" = core ] && exit 0

venv ardiq    "$python312" ardiq==1.2.0 $fast
venv arq      "$python311" arq==0.28.0 $fast
venv asyncmq  "$python311" asyncmq==0.10.1 $fast
venv broccoli "$python311" broccoli-workers==0.1.5 hiredis==3.5.0
venv bullmq   "$python311" bullmq==3.4.4 $fast
venv celery   "$python311" 'celery[redis]==5.7.0' hiredis==3.5.0
venv docket   "$python311" pydocket==0.27.0 $fast
venv fastq    "$python311" fastq-redis==1.1.1
venv huey     "$python311" huey==3.5.4 redis hiredis==3.5.0
venv rq       "$python311" rq==3.0.0 hiredis==3.5.0
venv rrq      "$python311" rrq==0.11.1
venv saq      "$python311" 'saq[redis]==0.26.4' $fast typing_extensions  # saq forgets the last one
venv streaq   "$python311" streaq==7.2.0 uvloop==0.23.0
venv taskiq   "$python311" taskiq==0.13.0 taskiq-redis==1.2.4 $fast
(cd "$dir/node" && npm install --silent --save-exact bee-queue@2.0.0 groupmq@1.1.0)
