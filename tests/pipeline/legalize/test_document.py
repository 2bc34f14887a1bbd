"""The page about the rules is the rules."""

from __future__ import annotations

from pipeline.legalize import document
from pipeline.legalize.registry import all_rules


def test_the_committed_page_is_up_to_date() -> None:
    """Otherwise: `python -m pipeline.legalize.document`."""
    assert document.PAGE.read_text() == document.render()


def test_every_rule_is_on_the_page_once() -> None:
    page = document.render()
    for rule in all_rules():
        assert page.count(f"| `{rule.name}` |") == 1


def test_rules_have_names_of_their_own() -> None:
    names = [rule.name for rule in all_rules()]
    assert len(names) == len(set(names))
