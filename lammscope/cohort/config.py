"""The config: validation against its schema, defaults, and the file and line of mistakes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lammscope.core.plain_text import read_text, text_problem
from lammscope.core.resources import HOME
from lammscope.core.words import near
from lammscope.core.yaml_text import LOADER, BombError, check_yaml, load_yaml

if TYPE_CHECKING:
    from jsonschema import ValidationError

SCHEMAS = HOME / "workflow" / "schemas"
LABELS = (
    *(("response", "responder"), ("response", "non_responder")),
    *(("timepoints", "pre"), ("timepoints", "post")),
)
KINDS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list, like [a, b]",
    "object": "a section of keys",
}
LIMITS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
}
Keys = tuple[str | int, ...]


def read_schema(name: str) -> dict[str, Any]:
    """Read the JSON schema `config`, `samples` or `patients`."""
    text = (SCHEMAS / f"{name}.schema.yaml").read_text(encoding="utf-8")
    schema: dict[str, Any] = load_yaml(text)
    return schema


def resolve_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Check a config and fill in every default.

    Parameters
    ----------
    config
        The config as the user wrote it.

    Returns
    -------
    dict
        Every key of the schema. Labels of time points and responses are text.

    Raises
    ------
    ValueError
        One line per mistake: the key, the value, and the allowed values.
    """
    resolved, mistakes = check_config(config)
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return resolved


def check_config(
    config: Mapping[str, Any], *, sources: Sequence[str | Path] = ()
) -> tuple[dict[str, Any], list[str]]:
    """Check a config; a section with a mistake is replaced by its defaults.

    Parameters
    ----------
    config
        The config as the user wrote it.
    sources
        The files it was read from, used to locate mistakes; later files override earlier ones.

    Returns
    -------
    resolved
        As in `resolve_config`, so that other checks can continue.
    mistakes
        One line each: file and line (or `config`, for the command line), key, value, remedy.
    """
    import jsonschema  # imported here: jobs read only the labels and words of this module

    schema = read_schema("config")
    located = ConfigLines(sources)
    resolved = _with_numbers(_with_defaults(config, schema), schema)
    mistakes = [f"{place}: {text}" for place, text in located.repeated]
    mistakes += [
        f"{located.place(path)}: `{'.'.join(map(str, path))}`: {problem}"
        for path, text in _texts_in(config)
        if (problem := text_problem(text, may_compute=True))
    ]
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    for error in list(validator.iter_errors(resolved)):
        path = tuple(error.absolute_path)
        for key, text in _explained(error, path):
            value = error.instance if key == path and not isinstance(error.instance, bool) else None
            mistakes.append(f"{located.place(key, value)}: {text}")
        for section in path[:1]:
            resolved[str(section)] = _with_defaults({}, schema)[str(section)]
    allowed = schema["properties"]
    resolved = {key: value for key, value in resolved.items() if key in allowed}
    for sheet in ("samples", "patients"):
        resolved[sheet] = Path(resolved[sheet]).as_posix()  # `./a` becomes `a`
    for section, label in LABELS:
        resolved[section][label] = [as_label(value) for value in resolved[section][label]]
    return resolved, list(dict.fromkeys(mistakes))


class ConfigLines:
    """Locations of the keys of a config in its files."""

    def __init__(self, sources: Iterable[str | Path]) -> None:
        self._roots = [(str(path), _composed(path)) for path in sources]
        self.repeated = [
            (f"{name}: line {line}", f"`{key}` appears twice; YAML keeps only the last one")
            for name, root in self._roots
            for line, key in _repeated_keys(root)
        ]

    def place(self, path: Keys, value: object = None) -> str:
        """Return file and line of a key, or `config` if no file has it with this value."""
        for name, root in reversed(self._roots):
            line, node = _descend(root, path)
            elsewhere = value is not None and isinstance(node, yaml.ScalarNode)
            if node is not None and not (elsewhere and node.value != str(value)):
                return f"{name}: line {line}"
        return "config"


def as_label(value: object) -> str:
    """Convert a label to text; whole numbers have no decimal point."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def explain_value(error: "ValidationError", name: str) -> str:
    """Describe a wrong value and what is allowed; `name` is the key or the column."""
    value: Any = error.instance
    rule: Any = error.validator_value
    shown = f"`{str(value).lower() if isinstance(value, bool) else as_label(value)}`"
    match error.validator:
        case "enum" | "const":
            allowed = rule if isinstance(rule, list) else [rule]
            hint = near(str(value), allowed)
            return f"{name} is {shown}{hint}; allowed: {', '.join(map(str, allowed))}"
        case "type":
            kinds = rule if isinstance(rule, list) else [rule]
            wanted = " or ".join(KINDS[kind] for kind in kinds)
            return f"{name} is {shown}; it must be {wanted}{_yaml_hint(value)}"
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
            return f"{name} is {shown}; it must be {LIMITS[str(error.validator)]} {rule:.10g}"
        case "minItems":
            return f"{name} is empty; it needs at least {rule} value{'s' if rule > 1 else ''}"
        case "format":
            reason = str(error.cause) if error.cause else "it cannot be read"
            return f"{name} is {shown}, which is not a regular expression: {reason}"
        case "pattern":
            allowed = rule.strip("^$")
            return f"{name} is {shown}; it must be `{allowed}` or a section of keys"
        case "maxLength":
            length = len(str(value))
            return f"{name} `{str(value)[:20]}...` has {length} characters; at most {rule}"
        case "anyOf":
            return f"{name} is {shown}; it must be a list of lineages, like [T], or `all`"
        case _:
            return f"{name}: {error.message}"


def _explained(error: "ValidationError", path: Keys) -> Iterator[tuple[Keys, str]]:
    """Yield the key path and message of each mistake in a schema error."""
    prefix = "".join(f"{part}." for part in path)
    value: Any = error.instance
    rule: Any = error.validator_value
    if error.validator == "additionalProperties":
        schema: Any = error.schema
        allowed = list(schema.get("properties", {}))
        for key in set(value) - set(allowed):
            hint = near(str(key), allowed) or f"; keys here: {', '.join(allowed)}"
            yield (*path, key), f"`{prefix}{key}` is not a key{hint}"
    elif error.validator == "required":
        for key in sorted(set(rule) - set(value)):
            yield path, f"`{prefix}{key}` is missing; add it"
    elif "propertyNames" in error.absolute_schema_path and error.validator == "maxLength":
        yield path, explain_value(error, f"a name in `{'.'.join(map(str, path))}`")
    elif "propertyNames" in error.absolute_schema_path:
        remedy = "use letters, digits, `_` and `-`"
        yield (*path, value), f"`{prefix}{value}` cannot be used in file names; {remedy}"
    else:
        yield path, explain_value(error, f"`{'.'.join(map(str, path))}`")


def _texts_in(value: object, path: Keys = ()) -> Iterator[tuple[Keys, str]]:
    """Yield the texts of a config, keys included, and where they are."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield path, str(key)
            yield from _texts_in(part, (*path, str(key)))
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from _texts_in(part, (*path, place))


def _yaml_hint(value: object) -> str:
    if isinstance(value, bool):
        return " (YAML reads yes, no, on and off as true and false: quote the word)"
    if type(value).__name__ in ("date", "datetime"):
        return " (YAML reads it as a date: quote it)"
    return ""


def _with_defaults(value: Any, schema: Mapping[str, Any]) -> Any:
    """Fill in the defaults of `schema` at every level, in the schema's order of keys.

    Snakemake compares params as text, so another order of keys would rerun jobs.
    """
    if not isinstance(value, Mapping) or "properties" not in schema:
        return deepcopy(value)
    filled = dict(value)
    for name, part in schema["properties"].items():
        if filled.get(name) is None and "default" in part:
            filled[name] = part["default"]
        if name in filled:
            filled[name] = _with_defaults(filled[name], part)
    return {name: filled[name] for name in (*schema["properties"], *filled) if name in filled}


def _with_numbers(value: Any, schema: Mapping[str, Any]) -> Any:
    """Convert text to numbers where the schema has numbers: `--config` gives text in braces."""
    if isinstance(value, dict):
        parts = schema.get("properties", {})
        other = schema.get("additionalProperties")
        other = other if isinstance(other, Mapping) else {}
        return {key: _with_numbers(item, parts.get(key, other)) for key, item in value.items()}
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        return [_with_numbers(item, schema["items"]) for item in value]
    if not isinstance(value, str) or schema.get("type") not in ("number", "integer", "boolean"):
        return value
    try:
        read = yaml.safe_load(value)
    except yaml.YAMLError:
        return value
    return read if isinstance(read, int | float) else value


def _composed(path: str | Path) -> yaml.Node | None:
    """Return the nodes of a YAML file, which hold their lines, or None if it cannot be read."""
    try:
        text = read_text(Path(path))
        check_yaml(text)
        return yaml.compose(text, Loader=LOADER)
    except (OSError, ValueError, yaml.YAMLError):
        return None


def bombs_in(sources: Iterable[str | Path]) -> list[str]:
    """Return a message for each config file that expands to far more than it says."""
    found = []
    for path in sources:
        try:
            check_yaml(read_text(Path(path)))
        except BombError as error:
            found.append(f"{path}: {error}")
        except (OSError, ValueError, yaml.YAMLError):
            continue  # read by Snakemake, perhaps as JSON
    return found


def read_config_file(path: str | Path) -> Any:
    """Return the content of a config file; ValueError if it is not YAML, or a bomb of aliases."""
    try:
        return load_yaml(read_text(Path(path)))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: is not YAML: {' '.join(str(error).split())}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is not UTF-8 text; save it as UTF-8") from error


def _descend(node: yaml.Node | None, path: Keys) -> tuple[int, yaml.Node | None]:
    """Return the line of the last key found on `path`, and the node at its end or None."""
    line = 1
    for part in path:
        found = None
        if isinstance(node, yaml.MappingNode):
            pairs = [(key, value) for key, value in node.value if key.value == str(part)]
            found = (pairs[-1][0].start_mark.line, pairs[-1][1]) if pairs else None
        elif isinstance(node, yaml.SequenceNode) and part in range(len(node.value)):
            found = (node.value[int(part)].start_mark.line, node.value[int(part)])
        if found is None:
            return line, None
        line, node = found[0] + 1, found[1]
    return line, node


def _repeated_keys(node: yaml.Node | None) -> Iterator[tuple[int, str]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.start_mark.line + 1, str(key.value)
            seen.add(str(key.value))
            yield from _repeated_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _repeated_keys(value)
