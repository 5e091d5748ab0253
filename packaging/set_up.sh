#!/bin/sh
# Makes the virtual environment and installs Maskwright into it: set_up.sh PYTHON VENV
# What is missing on the machine is said in one sentence, with the name of the Debian package.
set -eu
python=$1
venv=$2

give_up() { echo "maskwright: $1" >&2; exit 1; }

command -v "$python" >/dev/null 2>&1 || give_up \
  "$python is not installed. On Debian or Ubuntu: sudo apt-get install python3 python3-venv python3-dev"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || give_up \
  "$("$python" --version 2>&1) is too old, Maskwright needs 3.11 or newer. Install one and call: make PYTHON=python3.11 (Debian's package: python3.11)"

if [ ! -x "$venv/bin/python" ]; then
  "$python" -c 'import venv, ensurepip' 2>/dev/null || give_up \
    "Python's venv module is missing. On Debian or Ubuntu: sudo apt-get install python3-venv"
  echo "Making $venv"
  "$python" -m venv "$venv"
fi

echo "Installing Maskwright and what it needs (some minutes the first time)"
"$venv/bin/python" -m pip install -qq --upgrade --constraint constraints.txt pip setuptools wheel
"$venv/bin/python" -m pip install -qq --constraint constraints.txt --editable '.[dev]'

# The extra `crf` is compiled here. Without it everything else works, so a failure is one sentence.
if "$venv/bin/python" -c 'import pydensecrf' 2>/dev/null; then exit 0; fi
missing=""
command -v "${CXX:-g++}" >/dev/null 2>&1 || missing="$missing g++"
header=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include") + "/Python.h")')
[ -e "$header" ] || missing="$missing python3-dev"
if [ -n "$missing" ]; then
  echo "maskwright: dense CRF is left out, it must be compiled. On Debian or Ubuntu: sudo apt-get install$missing; then: $venv/bin/pip install 'maskwright[crf] @ .'" >&2
  exit 0
fi
log="$venv/crf.log"
if ! "$venv/bin/python" -m pip install --constraint constraints.txt --editable '.[crf]' >"$log" 2>&1; then
  echo "maskwright: dense CRF could not be compiled and is left out ($log says why); everything else works." >&2
fi
