"""Writes docs/legalization.md from the rules: `python -m pipeline.legalize.document`."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from pipeline.legalize.registry import EVERY, FORMATS, Rule, all_rules

PAGE = Path(__file__).resolve().parents[2] / "docs" / "legalization.md"

_INTRODUCTION = """\
<!-- Written by `python -m pipeline.legalize.document` from the rules themselves. Edit those, or that module. -->

# Legalization

Keras traces a model into TensorFlow operations; no other format has all of them. Converters fail on what they do
not know, or write a file that no runtime loads. isomer rewrites the graph first, so that the converter only sees
what its target has.

## How the pass works

`capture` traces the model once in inference mode. `legalize(capture, target)` then walks the graph in data order and
writes it anew for one target (`pipeline/legalize/rewriter.py`):

1. Only what the outputs need is visited. Asserts, prints and assignments hang on control dependencies and stay behind.
2. The rules for the operation's type are asked in turn; the first one that returns something replaces the operation.
   Sizes and types are known while rewriting, and constants have values: a rule can look at them.
3. An operation that no rule wants and whose inputs are all known is computed at once. Equal constants become one.
4. Anything else is copied as it is.

Calls are inlined, loops and branches are rebuilt around rewritten bodies, and a TensorList is a dense buffer while
rewriting, so that it never reaches a target that has no such thing. Half-precision models are computed in float32.
The oracle that all verdicts are measured against is a target, too: the same graph with every float in float64.

Values of 64 KiB and more are in no graph. They are variables of a store that all graphs of a capture share, and those
of the model share its memory (`pipeline/legalize/store.py`). A converter that copies what it reads is given a function
with the large weights as inputs (`opened.py`), and the writer puts them back into the file, or into files beside it.

Each constant of the result remembers the Keras weights that it was computed from. That is how the `weights` check
finds each of them in the finished file.

Operations that are left and that the target lacks are a `LegalizationError` that lists each with its Keras layers, the
reason and advice; nothing of that format is written, and its cells are `UNSUPPORTED`.

### Hashed numbers

`Hashing` and `HashedCrossing` hash the digits of a number, and no other format has strings to hash. Where the range of
the numbers is known, isomer hashes all of them when it exports, and the layer becomes a look-up in that table (at most
16,777,216 entries). Known is what the graph tells (`pipeline/legalize/bounds.py`: small types and truth values, behind
a look-up, buckets, `x % n`, `clip`), or what the user declares: `--input "ids:int64:?,3:0..999"`, or the same text
beside the model of `module.py:build`. Rows to judge on are drawn from the declared range, and the signature states it.

A number outside of a declared range is never given a bucket: its index lies beyond the table, which ends the run with
an error in LiteRT, ONNX Runtime and TF.js on CPU and wasm (WebGL does not check indices: check in front of the model).
The SavedModel hashes any number, as the Keras model does. The artifact's notes say so.

### TensorFlow's own operations in TFLite

A TFLite file can hold operations of TensorFlow ("Select TF", Flex), which run only where the Flex delegate is linked:
not in the package of LiteRT, and in none of TensorFlow since 2.19. isomer writes such a file with `--allow-flex` alone,
and only where there is no other way; a refusal names the flag if the converter would take the model. The certificate
lists the operations (`flex`), the summary says so, the plain LiteRT cell is `UNSUPPORTED`, and the file is judged in
the cell `tflite-flex`: TensorFlow 2.18 in an environment of its own, which `make flex` installs (or any Python with it,
named in `ISOMER_FLEX_PYTHON`). Without it that required cell is `NOT_RUN`, and nothing is published.

## How to add a rule

One function and one case:

```python
@rule("Softsign", targets=(ONNX, TFJS), why="softsign(x) = x / (1 + |x|) is its definition.")
def softsign_by_definition(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return x / (1.0 + tf.abs(x))
```

- It goes into the module of its family in `pipeline/legalize/rules/`; a new module is found by itself.
- It gets the rewriter, the operation of the source graph (for its attributes) and the rewritten inputs. It returns the
  output, or a list of them, or `None` if the operation does not have the form that the rule is about.
- `rewriter.value(tensor)` is a known value or `None`; `rewriter.constant(value, *derived_from)` makes a constant that
  remembers its weights; `pipeline/legalize/shapes.py` reshapes and transposes with sizes known in part.
- `why` is one sentence that says why it is exact, or the bound that it keeps.
- `structural=True` is for bookkeeping that changes no number; it is not counted in an artifact's `rewrites`.
- Add a case to `tests/pipeline/legalize/cases_<family>.py`: a small model that needs it. The tests check that the rule
  was applied, that the rewritten graph equals the oracle within the case's bound, and that the artifact runs in the
  target's runtime. A rule without a case fails the tests.
- Run `python -m pipeline.legalize.document` to bring this page up to date.

## The rules
"""


def render() -> str:
    """The page."""
    parts = [_INTRODUCTION]
    for family, rules in groupby(all_rules(), key=lambda r: r.family):
        module = f"../pipeline/legalize/rules/{family}.py"
        parts.append(f"### {family.replace('_', ' ').capitalize()}\n\n[`{family}.py`]({module})\n")
        rows = ["| rule | operations | targets | why |", "|---|---|---|---|", *map(_row, rules)]
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def _row(rule: Rule) -> str:
    ops = ", ".join(f"`{op}`" for op in rule.ops)
    why = rule.why.replace("|", "\\|")
    return f"| `{rule.name}` | {ops} | {_targets(rule)} | {why} |"


def _targets(rule: Rule) -> str:
    if set(rule.targets) == set(EVERY):
        return "all, and the oracle"
    return "all" if set(rule.targets) == set(FORMATS) else ", ".join(rule.targets)


if __name__ == "__main__":
    PAGE.write_text(render())
    print(f"{PAGE}: {len(all_rules())} rules")
