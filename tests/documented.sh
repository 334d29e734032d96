#!/usr/bin/env bash
# Has every public item an example, or a link to an item that has one? Fields, variants and associated constants are
# parts of their type. Prints each item that has neither, and fails if there is one. Reads what rustdoc says in JSON,
# which only nightly's does; installs that.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rustup toolchain list | grep -q '^nightly' ||
  rustup toolchain install nightly --profile minimal --no-self-update
rustup run nightly cargo rustdoc --all-features --lib -- -Z unstable-options --output-format json
python3 - "${CARGO_TARGET_DIR:-target}/doc/sotong.json" <<'PYTHON'
import json
import re
import sys

PARTS = {'module': 'items', 'struct': 'impls', 'enum': 'impls', 'union': 'impls', 'trait': 'items', 'impl': 'items'}
ITEMS = {'module', 'struct', 'enum', 'union', 'trait', 'function', 'type_alias', 'macro', 'constant', 'static'}

crate = json.load(open(sys.argv[1]))
index = crate['index']


def public_items(id, path, seen):
    """The items that can be named from outside, and methods, each with its path."""
    item = index.get(str(id))
    if item is None or id in seen:  # of another crate, or named twice
        return
    seen.add(id)
    what, inner = next(iter(item['inner'].items()))
    if what == 'use':
        yield from public_items(inner['id'], path, seen)
        return
    if what == 'impl' and inner['trait'] is not None:
        return
    path = path + [item['name']] if item['name'] else path
    if what in ITEMS:
        yield item, '::'.join(path)
    for part in inner.get(PARTS.get(what), []):
        if what != 'impl' or index[str(part)]['visibility'] == 'public':
            yield from public_items(part, path, seen)


def has_example(item):
    return '```' in (item['docs'] or '')


def links_to_example(item):
    sentences = re.split(r'(?<=[.;])\s+', item['docs'] or '')
    for before, sentence in zip([''] + sentences, sentences):
        if 'example' not in sentence:
            continue
        about = before if 'see there' in sentence else sentence
        for text, target in re.findall(r'\[([^\]]+)\](?:\(([^)]+)\))?', about):
            linked = index.get(str(item['links'].get(target or text)))
            if linked is not None and has_example(linked):
                return True
    return False


items = list(public_items(crate['root'], [], set()))
bare = [(item, path) for item, path in items if not has_example(item) and not links_to_example(item)]
for item, path in bare:
    span = item['span']
    print(f"{span['filename']}:{span['begin'][0]}: neither an example nor a link to one: {path}")
examples = sum(has_example(item) for item, _ in items)
print(f'{len(items)} public items: {examples} with an example, {len(items) - examples - len(bare)} with a link to one')
sys.exit(bool(bare))
PYTHON
