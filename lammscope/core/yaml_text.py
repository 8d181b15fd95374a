"""YAML, read by the C loader where it is there: it is ten times faster."""

from typing import Any

import yaml
from yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DEEPEST = 50  # levels; configs have about six
MOST_VALUES = 200_000  # keys and values once aliases are expanded; the largest panel has 6,000


class BombError(yaml.YAMLError):
    """YAML that is nested too deeply, or that expands to far more than it says."""


def load_yaml(text: str) -> Any:
    """Return the content of YAML as `yaml.safe_load` does; raises `yaml.YAMLError`.

    So it does before it builds anything, if the text is nested too deeply or expands to far more
    than it says (see `check_yaml`).
    """
    check_yaml(text)
    return yaml.load(text, Loader=LOADER)


def check_yaml(text: str) -> None:
    """Refuse YAML whose aliases expand to millions of values, or that is nested without end.

    A few lines of aliases of aliases stand for billions of values ("billion laughs"). Only the
    events of the parser are counted.

    Raises
    ------
    BombError
        With the line.
    """
    sizes: dict[str, int] = {}  # of what each anchor names, expanded
    unfinished = [("", 0)]  # anchor and number of values so far, from the root inwards
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, CollectionStartEvent):
            unfinished.append((event.anchor or "", 1))
            if len(unfinished) > DEEPEST:
                raise _error(event, f"nested over {DEEPEST} levels deep; no such file is")
            continue
        anchor = getattr(event, "anchor", None) or ""
        if isinstance(event, ScalarEvent):
            size = 1
        elif isinstance(event, AliasEvent):
            if anchor not in sizes:
                raise _error(event, f"`*{anchor}` stands for nothing that is complete before it")
            size, anchor = sizes[anchor], ""
        elif isinstance(event, CollectionEndEvent):
            anchor, size = unfinished.pop()
        else:
            continue
        if anchor:
            sizes[anchor] = size
        outer, n_values = unfinished[-1]
        unfinished[-1] = outer, n_values + size
        if n_values + size > MOST_VALUES:
            raise _error(
                event,
                f"over {MOST_VALUES:,} values, with those that aliases (`*name`) repeat",
            )


def _error(event: yaml.Event, text: str) -> BombError:
    line = event.start_mark.line + 1 if event.start_mark else 1
    return BombError(f"line {line}: {text}")
