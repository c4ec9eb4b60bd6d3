#!/usr/bin/env bash
# Makes an environment for the tests with real consumers: .venv-trainers (ms-swift, TRL) or .venv-lmms (lmms-eval).
#
#   bash tests/export/environment.sh trainers|lmms
#
# They need torch, whose plain build brings gigabytes of CUDA. Only a CPU build is taken; where the package index has
# none, or it takes too long, nothing is made, and the tests skip themselves. SECONDS_AT_MOST is the time limit.
set -uo pipefail
cd "$(dirname "$0")/../.."
name=$1
case $name in
    trainers) packages=("ms-swift==4.6.*" "trl==0.29.*") ;;
    lmms) packages=("lmms-eval==0.7.3" -r metrics/sarchat_bench/requirements.txt) ;;
    *) echo "There is no environment $name: trainers or lmms." >&2 && exit 2 ;;
esac
environment=.venv-$name
wanted="torch==2.13.0+cpu ${packages[*]}"
[ "$(cat "$environment/made-of" 2>/dev/null)" = "$wanted" ] && exit 0

skip() {
    rm -rf "$environment"
    echo "$environment is not made: $1. The tests that need it are skipped."
    exit 0
}
rm -rf "$environment"
python3 -m venv "$environment" || skip "python3 cannot make an environment"
pip() { timeout "${SECONDS_AT_MOST:-900}" "$environment/bin/pip" "$@" --quiet --disable-pip-version-check; }
pip install "torch==2.13.0+cpu" || skip "there is no CPU build of torch at hand (PIP_FIND_LINKS may name one)"
pip install "torch==2.13.0+cpu" "${packages[@]}" || skip "an install failed or took too long"
# The resolver's torchvision is built for CUDA and breaks every import of transformers' image processors.
pip uninstall --yes torchvision
echo "$wanted" >"$environment/made-of"
