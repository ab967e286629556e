# Each target is the command a developer would type; `make` alone lists them.

.PHONY: help build demo python side-by-side test windows soak bench bench-plot kit lint doc check clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 14

build: ## build the four programs
	cargo build --bins

# cargo install, because it works without a network too: it does not ask for what only tests need.
# Each server ends by itself after its one client, and its `ready on` line names the port to use.
demo: ## a TCP and a UDP conversation, step by step
	@cargo install --quiet --debug --path . --root target/demo
	@for protocol in tcp udp; do \
	  target/demo/bin/$$protocol-server --count 1 127.0.0.1:0 | { \
	    read -r line && echo "$$line" && target/demo/bin/$$protocol-client "$${line##* }"; \
	  } || exit 1; \
	done

python: ## the same conversations of the Python samples, line by line
	@tests/python/demo.sh

side-by-side: ## the programs beside their Python, a page to print: target/side-by-side.html
	cargo test --quiet --test side_by_side the_sheet

test: ## all tests but the heavy ones
	@mkdir -p target && rm -f target/skipped
	@SKIPPED='$(CURDIR)/target/skipped' cargo test; code=$$?; tests/skipped.sh target/skipped; exit $$code

# Under wine the code that makes a backtrace crashes, and two programs that start at the same moment
# may fail to (error 1359): hence no backtraces, and one test at a time. Now and then wine's server dies, and a
# test hangs: hence the limit for each file of tests, and one more try for that file.
windows: export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER = wine
windows: export WINEPREFIX = $(CURDIR)/target/wine
windows: export WINEDEBUG = -all
windows: export RUST_BACKTRACE = 0
windows: ## all tests as Windows programs under wine; wants MinGW and Rust's library for that target
	cargo test --target x86_64-pc-windows-gnu --no-run
	@for tests in --lib $(patsubst tests/%.rs,--test=%,$(wildcard tests/*.rs)); do \
	  run="timeout 200 cargo test --quiet --target x86_64-pc-windows-gnu $$tests -- --test-threads=1"; \
	  echo "$$tests"; $$run && continue; \
	  echo "$$tests: failed, or took longer than 200 s; once more, with a new wine"; \
	  wineserver --kill; $$run || exit; \
	done

soak: ## the heavy tests
	cargo test --release -- --ignored

bench: ## how fast, as ratios; PEER='NAME=COMMAND with PORT' names another server
	cargo bench --bench echo -- $(if $(PEER),--peer '$(PEER)')

bench-plot: ## the same as a picture, benches/echo.svg
	cargo bench --bench echo -- --only requests --json $(if $(PEER),--peer '$(PEER)') | \
	  python3 benches/plot.py > target/echo.svg
	cp target/echo.svg benches/echo.svg

kit: ## all for a room without a network: target/socket-lab-VERSION.tar.gz; STUDENT=1: no solutions in it
	@labs/kit $(if $(STUDENT),student)

# Of the programs and the library; a test may unwrap. Here and not in Cargo.toml, where Debian's cargo, which
# does not know them, says so each time.
LINTS = -D warnings -W missing_docs -W clippy::pedantic -W clippy::unwrap_used \
  -W clippy::expect_used -A clippy::must_use_candidate -A clippy::missing_errors_doc \
  -A clippy::doc_markdown

lint: ## formatting and clippy, warnings are errors
	cargo fmt --check
	cargo clippy --lib --bins -- $(LINTS)
	cargo clippy --all-targets -- -D warnings

doc: ## the documentation, warnings are errors
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps

check: lint test doc ## all of this; what CI runs

clean: ## remove what was built
	cargo clean
