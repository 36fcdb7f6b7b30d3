"""JSON Schema of records, runs, summaries and whole reports, one file a version of the record format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scanner.records import SCHEMA


def schema_file(version: int = SCHEMA) -> Path:
    """The schema's file, JSON Schema 2020-12, for reports whose `schema` is `version`."""
    return Path(__file__).parent / f"report-{version}.schema.json"


def load_schema(part: str = "report", version: int = SCHEMA) -> dict[str, Any]:
    """The schema of one part: `report` (a JSON report), `record` (a JSONL line), `run_file`, `run` or `summary`."""
    schema: dict[str, Any] = json.loads(schema_file(version).read_text(encoding="utf-8"))
    return {**schema, "$ref": f"#/$defs/{part}"}
