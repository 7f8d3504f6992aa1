# What the scripts here have in common: one line a test, and one at the end.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
: "${CC:=cc}" "${CXX:=c++}" "${BUILD:=build}" "${TARGET:=target}" "${CARGO:=cargo}"
: "${NATIVE:=-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc}"
passed=0 failed=0 skipped=0

ok() { echo "ok      $*"; passed=$((passed + 1)); }
fail() { echo "FAILED  $*"; failed=$((failed + 1)); }
skip() { echo "skipped $*"; skipped=$((skipped + 1)); }
# expect NAME COMMAND...: the command succeeds; what it prints is shown only if not.
expect() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then ok "$name"; else fail "$name"; echo "$output" | sed 's/^/        /'; fi
}
summary() {
    echo "$1: $passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
}
