# unipc. `make help` lists what there is; everything built goes to build/ and to Cargo's target/.
# A newcomer needs two of them: `make demo` and `make test`.

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
BINDIR     ?= $(PREFIX)/bin
DATADIR    ?= $(PREFIX)/share
CARGO      ?= cargo
BUILD      ?= build
TARGET     := $(or $(CARGO_TARGET_DIR),target)
VERSION    := $(shell sed -n 's/^version *= *"\(.*\)"/\1/p' Cargo.toml | head -n 1)
MAJOR      := $(firstword $(subst ., ,$(VERSION)))
# What a program needs beside libunipc.a: rustc --print native-static-libs
NATIVE     := -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc
RUST_LIB   := $(TARGET)/release/libunipc_ffi.a
export CC CARGO BUILD TARGET VERSION NATIVE

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help lib cli header install clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "make %-16s %s\n", $$1, $$2 }'

# ---- the C library

lib: $(BUILD)/libunipc.so $(BUILD)/libunipc.a ## build/libunipc.so and build/libunipc.a

.PHONY: FORCE
$(RUST_LIB): FORCE
	$(CARGO) build --release -p unipc-ffi

# What the header declares is what the libraries have.
$(BUILD)/symbols: include/unipc.h
	@mkdir -p $(BUILD)
	$(CC) -E -P -x c $< | grep -oE '\bunipc_[a-z0-9_]+ *\(' | tr -d ' (' | LC_ALL=C sort -u > $@

$(BUILD)/libunipc.so $(BUILD)/libunipc.a &: $(RUST_LIB) $(BUILD)/symbols packaging/link Cargo.toml
	packaging/link $(RUST_LIB) $(BUILD)/symbols $(VERSION) $(BUILD)

cli: ## the command, in target/release
	$(CARGO) build --release -p unipc-cli

header: ## write include/unipc.h anew from ipc-ffi/src
	UNIPC_BLESS=1 $(CARGO) test -q -p unipc-ffi --test header the_committed_header

# What stands in packaging/*.in is relative to the file's own place.
from = $(shell realpath -m --relative-to='$(1)' '$(2)')
define fill
sed -e 's|@version@|$(VERSION)|g' -e 's|@major@|$(MAJOR)|g' -e 's|@native@|$(2)|g' \
    -e 's|@prefix@|$(call from,$(1),$(PREFIX))|g' -e 's|@include@|$(call from,$(1),$(INCLUDEDIR))|g'
endef
SEMICOLONS := $(subst $() ,;,$(NATIVE:-l%=%))

install: lib cli ## install under DESTDIR and PREFIX (also BINDIR, LIBDIR, INCLUDEDIR, DATADIR)
	install -d '$(DESTDIR)$(INCLUDEDIR)' '$(DESTDIR)$(LIBDIR)/pkgconfig' '$(DESTDIR)$(LIBDIR)/cmake/unipc'
	install -d '$(DESTDIR)$(BINDIR)'
	install -m 755 $(TARGET)/release/unipc '$(DESTDIR)$(BINDIR)'
	install -d '$(DESTDIR)$(DATADIR)/man/man1' '$(DESTDIR)$(DATADIR)/bash-completion/completions' \
	    '$(DESTDIR)$(DATADIR)/zsh/site-functions' '$(DESTDIR)$(DATADIR)/fish/vendor_completions.d'
	$(TARGET)/release/unipc manual '$(DESTDIR)$(DATADIR)/man/man1'
	$(TARGET)/release/unipc completions bash > '$(DESTDIR)$(DATADIR)/bash-completion/completions/unipc'
	$(TARGET)/release/unipc completions zsh > '$(DESTDIR)$(DATADIR)/zsh/site-functions/_unipc'
	$(TARGET)/release/unipc completions fish > '$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/unipc.fish'
	install -m 644 include/unipc.h '$(DESTDIR)$(INCLUDEDIR)'
	install -m 755 $(BUILD)/libunipc.so.$(VERSION) '$(DESTDIR)$(LIBDIR)'
	cp -P $(BUILD)/libunipc.so.$(MAJOR) $(BUILD)/libunipc.so '$(DESTDIR)$(LIBDIR)'
	install -m 644 $(BUILD)/libunipc.a '$(DESTDIR)$(LIBDIR)'
	$(call fill,$(LIBDIR)/pkgconfig,$(NATIVE)) packaging/unipc.pc.in > '$(DESTDIR)$(LIBDIR)/pkgconfig/unipc.pc'
	$(call fill,$(LIBDIR)/cmake/unipc,$(SEMICOLONS)) packaging/unipc-config.cmake.in \
	    > '$(DESTDIR)$(LIBDIR)/cmake/unipc/unipc-config.cmake'
	$(call fill,$(LIBDIR)/cmake/unipc,) packaging/unipc-config-version.cmake.in \
	    > '$(DESTDIR)$(LIBDIR)/cmake/unipc/unipc-config-version.cmake'

# ---- tests of the C face

.PHONY: test-c-dynamic test-c-static test-valgrind test-header test-symbols test-install
test-c-dynamic: lib ## C programs against libunipc.so
	@tests/c/programs dynamic
test-c-static: lib ## C programs against libunipc.a, also beside a second Rust library
	@tests/c/programs static
test-valgrind: lib ## C programs under valgrind, or the address sanitizer
	@tests/c/programs valgrind
test-header: ## the header is what the sources give, and clean in C and C++
	@$(CARGO) test -q -p unipc-ffi
	@tests/c/header
test-symbols: lib ## the libraries have what the header declares, and nothing else
	@tests/c/symbols
test-install: lib ## programs find the installed library by pkg-config and CMake
	@tests/c/install

# ---- Python and Rust

VENV   := $(BUILD)/venv
PYTHON := $(VENV)/bin/python

$(VENV)/ready: tests/requirements.txt
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed'; exit 1; }
	python3 -m venv --clear $(VENV) || { echo 'python3 -m venv failed; on Debian: apt-get install python3-venv'; exit 1; }
	$(PYTHON) -m pip install -q --disable-pip-version-check -r tests/requirements.txt
	@touch $@

PYTHON_SOURCES := $(shell find ipc-core/src ipc-core/docs bindings/python -name __pycache__ -prune -o -type f -print) Cargo.toml

.PHONY: wheel examples
wheel: $(BUILD)/wheel ## the Python package, installed in build/venv
$(BUILD)/wheel: $(VENV)/ready $(PYTHON_SOURCES)
	rm -rf $(BUILD)/wheels
	$(VENV)/bin/maturin build -q --release -m bindings/python/Cargo.toml -o $(BUILD)/wheels
	$(PYTHON) -m pip install -q --disable-pip-version-check --no-deps --force-reinstall $(BUILD)/wheels/*.whl
	@touch $@

examples: lib ## the examples in Rust (those in C are compiled where they are run)
	$(CARGO) build -q --release -p unipc-examples --bins

# ---- everything

.PHONY: demo test check bench crash-matrix
demo: lib wheel examples ## C, Python and Rust at work together
	@UNIPC_LIB=$(BUILD) UNIPC_INCLUDE=include UNIPC_RUST_BIN=$(TARGET)/release $(PYTHON) examples/demo/run

test: lib wheel examples ## prove all of it: a line for each part, exit non-zero on any failure
	@tests/run

crash-matrix: ## kill participants of shared queues at every instruction, and in long storms (docs/crash.md): half an hour
	UNIPC_CRASH=full $(CARGO) test --release -p unipc --features fail-points --test crash

PY := bindings/python examples tests examples/demo/run tests/run
check: $(VENV)/ready $(BUILD)/wheel ## formatting and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy -q --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc -q --no-deps -p unipc -p unipc-contender
	$(VENV)/bin/ruff check -q $(PY)
	$(VENV)/bin/ruff format -q --check $(PY)
	$(VENV)/bin/mypy --strict bindings/python/tests examples/python
	MYPYPATH=examples $(VENV)/bin/mypy --strict examples/*.py examples/demo/*.py tests/interop

.PHONY: model
model: ## model checking of queues in shared memory; UNIPC_TEST_LONG=1 takes 20 times as long
	RUSTFLAGS='--cfg unipc_model' $(CARGO) test -q -p unipc --test model --target-dir $(TARGET)/model

bench: lib wheel cli ## unipc beside others, in some ten minutes (docs/benchmarks.md); QUICK=1: in one
	@tests/bench/run

clean: ## remove what was built
	rm -rf $(BUILD)
	$(CARGO) clean
