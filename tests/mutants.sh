#!/usr/bin/env bash
# `cargo mutants` in a copy of the crate with few dev-dependencies and one test
# program, so that a mutant takes a second or two. Arguments go to `cargo mutants`.
set -euo pipefail
cd "$(dirname "$0")/.."
copy=${MUTANTS:-${TMPDIR:-/tmp}/tower-fc-mutants}
mkdir -p "$copy"
rm -rf "$copy"/{src,tests,.cargo}
cp -rp src tests .cargo README.md SECURITY.md "$copy/"

python3 - "$copy" <<'PY'
import re, sys

kept = "base64 http-body-util httpdate hyper hyper-util serde_json tokio tower".split()
with open("Cargo.toml") as file:
    text = file.read()
text = re.sub(r"\[(\[(example|test|bench)\]|profile.*)\]\n(?:.+\n)+\n?", "", text)
head, dev, rest = re.split(r"(\[dev-dependencies\]\n(?:.+\n)+)", text)
lines = [line for line in dev.splitlines() if line.split(" ")[0] in kept]
head = head.replace("[package]\n", "[package]\nautoexamples = false\n")
dev = "\n".join(["[dev-dependencies]", *lines, ""])
test = '\n[[test]]\nname = "all"\npath = "tests/all.rs"\n'
profile = '\n[profile.dev]\ndebug = 0\n[profile.dev.package."*"]\nopt-level = 3\n[workspace]\n'
with open(f"{sys.argv[1]}/Cargo.toml", "w") as file:
    file.write(head + dev + test + profile + rest)
with open("tests/core.rs") as file:
    core = file.read()
with open(f"{sys.argv[1]}/tests/all.rs", "w") as file:
    file.write(core + '#[path = "vectors.rs"]\nmod vectors;\n')
PY

cd "$copy"
unset CARGO_TARGET_DIR
# Without the search for collisions, which takes longer than all others.
tests=(--lib --test all -- --skip protocol::theorem)
cargo test --quiet --features sm3 "${tests[@]}"
cargo mutants --copy-target=true --no-shuffle --baseline=skip \
    --timeout 30 "$@" -- "${tests[@]}"
