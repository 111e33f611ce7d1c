# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Directories of the system's that a case has to itself, in the mount namespace that the runner gives
# root; sourced after lib.sh.
# shellcheck source-path=SCRIPTDIR source=lib.sh

# private_directory PATH MODE: a new, empty one there, for this case only.
private_directory() {
	need_root
	mkdir -p "$1" 2>/dev/null || skip "$1 cannot be made here"
	mount -t tmpfs -o "mode=$2" tmpfs "$1" || skip "$1 cannot be had in private here"
	on_exit umount -l "$1"
}

# private_run: everything under /run is the case's own. cmkdisk's own directory is made anew in it.
private_run() {
	private_directory /run 755
	mkdir -m 0700 /run/cmkdisk
	mkdir -p /run/lock
}

# modules_leak: this case's PKCS#11 module leaves memory behind, which a sanitizer takes for ours.
modules_leak() {
	export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
}
