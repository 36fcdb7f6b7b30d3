"""Prints docs/report-schema.md from the JSON Schema that is shipped (`python .ci/schema_reference.py > that file`)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scanner.records import SCHEMA  # noqa: E402
from scanner.schema import load_schema, schema_file  # noqa: E402

HEAD = """\
# JSON Schema reference

<!-- Made from scanner/schema/{file} by `python .ci/schema_reference.py`; a test compares the two. -->

Version {version} of the record format, as the shipped schema `scanner/schema/{file}` (JSON Schema 2020-12)
states it. Every key is always there; `null` stands where it does not apply. A version of dfscan may add keys to
`run.options`, reasons and evidence sources; a key that changes its name or meaning raises the number in `schema`.

To check a report against the schema of the installed version:

```python
import json, jsonschema
from scanner.schema import load_schema

jsonschema.validate(json.load(open("report.json")), load_schema())  # a JSON report
for line in open("report.jsonl"):  # the lines of a JSONL report
    jsonschema.validate(json.loads(line), load_schema("record"))
```
"""

PARTS = {
    "record": "A record",
    "evidence": "An element of `evidence`",
    "error": "The object `error`",
    "report": "A JSON report",
    "run_file": "The file beside a JSONL report",
    "run": "The object `run`",
    "summary": "The object `summary`",
}


def page() -> str:
    """The reference as Markdown."""
    definitions = load_schema()["$defs"]
    assert set(definitions) == set(PARTS), "every part of the schema has a section"
    sections = [HEAD.format(version=SCHEMA, file=schema_file().name)]
    for name, title in PARTS.items():
        part = definitions[name]
        rows = "\n".join(_rows(part))
        sections.append(
            f"## {title}\n\n`{name}`: {part['description']}\n\n| key | type | what |\n|---|---|---|\n{rows}\n"
        )
        sections += [f"{_condition(rule)}\n" for rule in part.get("allOf", ())]
    return "\n".join(sections)


def _rows(part: dict[str, Any], prefix: str = "") -> list[str]:
    rows = []
    for key, value in part["properties"].items():
        rows.append(f"| `{prefix}{key}` | {_type(value)} | {value.get('description', '')} |")
        if value.get("type") == "object" and "properties" in value:
            rows += _rows(value, f"{prefix}{key}.")
    return rows


def _type(value: dict[str, Any]) -> str:
    """What a value may be, in a table's cell."""
    if "const" in value:
        return f"always {_code(value['const'])}"
    if "enum" in value:
        return ", ".join(_code(item) for item in value["enum"])
    if "$ref" in value:
        return f"`{value['$ref'].rsplit('/', 1)[1]}`"
    if "anyOf" in value:
        return " or ".join(_type(item) for item in value["anyOf"])
    kinds = value["type"] if isinstance(value["type"], list) else [value["type"]]
    named = []
    for kind in kinds:
        if kind == "array":
            named.append(f"array of {_type(value['items'])}")
        elif kind == "object" and isinstance(value.get("additionalProperties"), dict):
            named.append(f"object of {_type(value['additionalProperties'])}")
        else:
            named.append(kind)
    text = " or ".join(named)
    if "minimum" in value or "maximum" in value:
        upper = f"to {value['maximum']}" if "maximum" in value else "or more"
        text += f", {value['minimum']} {upper}"
    if "pattern" in value:
        text += f", like `{value['pattern']}`"
    return text + (f", {value['format']}" if "format" in value else "")


def _condition(rule: dict[str, Any]) -> str:
    """One `if`/`then`/`else` of the schema as a sentence."""
    (key, wanted), *_ = rule["if"]["properties"].items()
    sentence = f"- Where `{key}` is {_code(wanted['const'])}: {_demands(rule['then'])}."
    return sentence if "else" not in rule else f"{sentence} Otherwise: {_demands(rule['else'])}."


def _demands(part: dict[str, Any], prefix: str = "") -> str:
    demands = []
    for key, value in part["properties"].items():
        if "properties" in value:
            demands.append(_demands(value, f"{prefix}{key}."))
        elif "not" in value:
            demands.append(f"`{prefix}{key}` is not {_code(value['not']['const'])}")
        elif "enum" in value:
            demands.append(f"`{prefix}{key}` is one of {_type(value)}")
        elif "const" in value:
            demands.append(f"`{prefix}{key}` is {_code(value['const'])}")
        else:
            demands.append(f"`{prefix}{key}` is of type {_type(value)}")
    return "; ".join(demands)


def _code(value: Any) -> str:
    return "`null`" if value is None else f"`{value}`"


if __name__ == "__main__":
    sys.stdout.write(page())
