# The front door. Everything behind it is CMake (CMakePresets.json) and the scripts in tools/.
.PHONY: all build deps test-deps run check check-deep check-fresh bench lint format fuzz install clean help

DESTDIR ?=
PREFIX ?= /usr
FUZZ_SECONDS ?= 10
BENCH ?=

all: build

help: ## what there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

deps:
	@tools/install-deps build

test-deps:
	@tools/install-deps build test

build: deps ## build/assay and build/modules/*.so
	@cmake --preset release >build.log 2>&1 || { cat build.log; rm -f build.log; exit 1; }
	@cmake --build build
	@mv -f build.log build/cmake.log

run: build ## a development server and a guarded sample API, with a token to try; prints commands to paste
	@build/assay serve --demo

check: test-deps ## every test
	@tools/run-tests

check-deep: test-deps ## every test in its long form
	@tools/run-tests --deep

check-fresh: ## make check in a fresh Debian 12 (root; takes a while)
	@tools/check-fresh

bench: test-deps build ## the numbers of docs/performance.md; BENCH="introspect growth ..." for some of them
	@tools/install-deps bench
	@cd bench/oidc-provider && { [ -d node_modules ] || npm ci --no-audit --no-fund; }
	@bench/run $(BENCH)

lint: ## layers, headers, banned functions, format, clang-tidy
	@tools/install-deps build test lint
	@tools/lint

format: ## clang-format over the tree
	@tools/install-deps lint
	@git ls-files '*.c' '*.h' | xargs clang-format-14 -i

fuzz: ## every fuzz target for FUZZ_SECONDS each
	@tools/install-deps build test lint
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tools/fuzz

install: build ## into DESTDIR
	install -D -m 0755 build/assay $(DESTDIR)$(PREFIX)/bin/assay
	install -d $(DESTDIR)$(PREFIX)/lib/nginx/modules
	install -m 0644 build/modules/ngx_http_assay_server_module.so \
	    build/modules/ngx_http_assay_guard_module.so $(DESTDIR)$(PREFIX)/lib/nginx/modules
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -m 0644 docs/man/assay.1 $(DESTDIR)$(PREFIX)/share/man/man1/assay.1
	build/assay completion bash >build/assay.bash
	install -m 0644 build/assay.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/assay
	install -d $(DESTDIR)$(PREFIX)/share/nginx/modules-available
	install -m 0644 packaging/mod-http-assay-server.conf packaging/mod-http-assay-guard.conf \
	    $(DESTDIR)$(PREFIX)/share/nginx/modules-available
	install -D -m 0644 packaging/assay.service $(DESTDIR)/lib/systemd/system/assay.service

clean:
	rm -rf build
