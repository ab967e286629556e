# Each target is the command a developer would type; `make` alone lists them.

.PHONY: help build demo python test soak bench bench-plot lint doc check clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 12

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

test: ## all tests but the heavy ones
	cargo test

soak: ## the heavy tests
	cargo test --release -- --ignored

bench: ## how fast, as ratios; PEER='NAME=COMMAND with PORT' names another server
	cargo bench --bench echo -- $(if $(PEER),--peer '$(PEER)')

bench-plot: ## the same as a picture, benches/echo.svg
	cargo bench --bench echo -- --only clients --json $(if $(PEER),--peer '$(PEER)') | \
	  python3 benches/plot.py > target/echo.svg
	cp target/echo.svg benches/echo.svg

lint: ## formatting and clippy, warnings are errors
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

doc: ## the documentation, warnings are errors
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps

check: lint test doc ## all of this; what CI runs

clean: ## remove what was built
	cargo clean
