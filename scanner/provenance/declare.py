"""How evidence counts: the one table of what a file declares, what that flags, and which reasons it gives.

| evidence                                                 | declares | flags at `all` | flags at `signed` |
|----------------------------------------------------------|----------|----------------|-------------------|
| `signed`: valid C2PA manifest, signer on the trust list  | yes      | ai-generated   | ai-generated      |
| `untrusted`: intact manifest, signer not on the list     | yes      | ai-generated   | no                |
| `unsigned`: plain metadata, generator text, watermark    | yes      | ai-generated   | no                |
| the same from source `exif`, captured: camera data       | no       | no             | no                |
| `invalid`: manifest that does not fit the file           | no       | no             | no                |
| `unread`, `malformed`                                    | no       | no             | no                |

Camera data is circumstance, not a statement; an invalid manifest may have been taken from another file.
At `--trust none` nothing flags. Of several counting claims the gravest is declared: ai-generated, ai-edited, captured.
Nothing clears a file: a claim of capture beside one of AI, or beside pixels that look generated, is named as conflict.
"""

from __future__ import annotations

from collections.abc import Sequence

from scanner.options import TrustLevel
from scanner.records import Declared, Evidence, Label, Trust

_GRAVITY = (Declared.AI_GENERATED, Declared.AI_EDITED, Declared.CAPTURED)
_COUNTING = frozenset({Trust.SIGNED, Trust.UNTRUSTED, Trust.UNSIGNED})
_AI = frozenset({Declared.AI_GENERATED, Declared.AI_EDITED})

_NAMES = {
    Trust.SIGNED: "signed, trusted",
    Trust.UNTRUSTED: "signed, signer not trusted",
    Trust.INVALID: "signature or content does not match",
    Trust.UNSIGNED: "unsigned",
    Trust.UNREAD: "not readable here",
    Trust.MALFORMED: "malformed",
}


def counts(evidence: Evidence) -> bool:
    """Whether an evidence takes part in what its file declares."""
    if evidence.claim is None or evidence.trust not in _COUNTING:
        return False
    return not (evidence.source == "exif" and evidence.claim is Declared.CAPTURED)


def declared(evidence: Sequence[Evidence]) -> Declared | None:
    """What a file says of its own origin: the gravest claim that counts; None where none does."""
    claims = {item.claim for item in evidence if counts(item)}
    return next((claim for claim in _GRAVITY if claim in claims), None)


def flags(evidence: Sequence[Evidence], level: TrustLevel) -> bool:
    """Whether the evidence flags its file at this level of trust."""
    if level is TrustLevel.NONE:
        return False
    needed = frozenset({Trust.SIGNED}) if level is TrustLevel.SIGNED else _COUNTING
    return any(counts(item) and item.claim is Declared.AI_GENERATED and item.trust in needed for item in evidence)


def reasons(evidence: Sequence[Evidence], level: TrustLevel, label: Label | None) -> tuple[str, ...]:
    """One line for each cause that evidence adds to a verdict, in the evidence's order, conflicts last.

    `label` is the verdict from the pixels; None where the file was not scored.
    """
    lines: list[str] = []
    for item in evidence:
        if counts(item) and item.claim is not None:
            lines.append(f"declared {item.claim.value} by {item.source} ({_NAMES[item.trust]}){_effect(item, level)}")
        elif item.trust is Trust.INVALID and item.claim is not None:
            lines.append(f"{item.source} claims {item.claim.value}, but {_NAMES[item.trust]}: not counted")
    lines += _conflicts(evidence, label)
    return tuple(dict.fromkeys(lines))


def _effect(item: Evidence, level: TrustLevel) -> str:
    if item.claim is not Declared.AI_GENERATED or flags((item,), level):
        return ""
    return f": does not flag at --trust {level.value}"


def _conflicts(evidence: Sequence[Evidence], label: Label | None) -> list[str]:
    claims = {item.claim for item in evidence if counts(item)}
    lines = []
    if Declared.CAPTURED in claims and claims & _AI:
        other = Declared.AI_GENERATED if Declared.AI_GENERATED in claims else Declared.AI_EDITED
        lines.append(f"conflict: the file declares both captured and {other.value}")
    if label is Label.AI_GENERATED and Declared.CAPTURED in claims and not claims & _AI:
        lines.append("conflict: declared captured, but the pixels look ai-generated")
    if label is Label.REAL and Declared.AI_GENERATED in claims:
        lines.append("conflict: declared ai-generated, but the pixels look real")
    return lines
