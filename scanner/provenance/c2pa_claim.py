"""What a C2PA manifest store claims of its picture: follows the active manifest and those it was made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scanner.provenance.source_type import claim as claim_of
from scanner.provenance.source_type import describe
from scanner.records import Declared

_MAX_DEPTH = 16
_DOUBTS = frozenset(
    {
        "signingCredential.untrusted",
        "signingCredential.expired",
        "signingCredential.invalid",
        "signingCredential.ocsp.unknown",
        "signingCredential.ocsp.inaccessible",
        "signingCredential.ocsp.skipped",
        "timeStamp.untrusted",
        "timeStamp.outsideValidity",
        "timeStamp.mismatch",
        "timeStamp.malformed",
        "timeStamp.credentialInvalid",
        "algorithm.deprecated",
        "assertion.action.malformed",  # ChatGPT's of 2025 lack the opening action; what they do say is signed
        "cawg.x509.credential.untrusted",
    }
)
"""Validation failures that leave content and signature intact and cast doubt on the signer; all others break them."""


@dataclass(slots=True)
class Origin:
    """What the store says, and what its validation found against it."""

    claim: Declared | None = None
    generator: str | None = None
    agent: str | None = None
    """Software that the deciding action names."""
    signer: str | None = None
    signed_at: str | None = None
    source_types: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    """Validation codes against the signer."""
    broken: list[str] = field(default_factory=list)
    """Validation codes against content or signature."""


def origin(store: dict[str, Any]) -> Origin:
    """The claim of a store's active manifest; raises ValueError for a store of a foreign form."""
    found = Origin()
    try:
        label = store["active_manifest"]
        manifest = store["manifests"][label]
        _collect_failures(store, found)
        found.claim = _claim(store, manifest, found, _MAX_DEPTH)
        signature = manifest.get("signature_info") or {}
        found.signer = signature.get("issuer") or signature.get("common_name")
        found.signed_at = signature.get("time")
        found.generator = found.agent or _claim_generator(manifest)
        if found.generator is None and found.claim in (Declared.AI_GENERATED, Declared.AI_EDITED):
            found.generator = found.signer
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"C2PA manifest store of a foreign form: {error!r}") from error
    return found


def _collect_failures(store: dict[str, Any], found: Origin) -> None:
    for status in store.get("validation_status") or []:
        code = str(status.get("code"))
        codes = found.doubts if code in _DOUBTS else found.broken
        if code not in codes:
            codes.append(code)


def _claim(store: dict[str, Any], manifest: dict[str, Any], found: Origin, depth: int) -> Declared | None:
    """The manifest's own claim, joined with that of the picture it was made from.

    An action that creates decides; one that edits with AI turns anything but a generated picture into an edited one,
    as does a generated ingredient that was placed into the picture.
    """
    created, edited, told = _actions(manifest, found)
    ingredients = manifest.get("ingredients") or []
    parent: Declared | None = None
    placed_ai = False
    for ingredient in ingredients:
        inner = store["manifests"].get(ingredient.get("active_manifest"))
        if inner is None or depth == 0:
            continue
        # A manifest that tells of no action wraps its only ingredient: ChatGPT and Designer do so.
        wraps = not told and len(ingredients) == 1 and ingredient.get("relationship") == "componentOf"
        if wraps or ingredient.get("relationship") == "parentOf":
            parent = _claim(store, inner, found, depth - 1)
        elif ingredient.get("relationship") == "componentOf":
            placed_ai |= _claim(store, inner, Origin(), depth - 1) in (Declared.AI_GENERATED, Declared.AI_EDITED)
    base = created or parent or _capture(manifest, found)
    if base is Declared.AI_GENERATED:
        return base
    if edited is Declared.AI_GENERATED and base is None and not ingredients:
        return Declared.AI_GENERATED  # no action says `created`, but there is nothing that could have been edited
    if edited in (Declared.AI_GENERATED, Declared.AI_EDITED) or placed_ai:
        return Declared.AI_EDITED
    return base or edited


def _actions(manifest: dict[str, Any], found: Origin) -> tuple[Declared | None, Declared | None, bool]:
    """Gravest claims of the creating and of all other actions, and whether there are actions at all.

    Notes source types and software on the way.
    """
    created: Declared | None = None
    edited: Declared | None = None
    told = False
    for assertion in manifest.get("assertions") or []:
        label = str(assertion.get("label", ""))
        if label.startswith("c2pa.actions"):
            for action in assertion["data"].get("actions") or []:
                told = True
                claimed = _action(action, found)
                if action.get("action") == "c2pa.created":
                    created = _gravest(created, claimed)
                else:
                    edited = _gravest(edited, claimed)
        elif label == "com.adobe.generative-ai":
            found.source_types.append("none, but an assertion of generative AI")
            found.agent = found.agent or str(assertion["data"].get("description") or "") or None
            edited = Declared.AI_GENERATED
        elif isinstance(value := _iptc(assertion), str):
            created = _gravest(created, _note(value, found))
    return created, edited, told


def _action(action: dict[str, Any], found: Origin) -> Declared | None:
    """What one action claims."""
    value = action.get("digitalSourceType") or (action.get("parameters") or {}).get("digitalSourceType")
    if isinstance(value, str):
        claimed = _note(value, found)
    elif action.get("description") == "AI Generated Image":  # Microsoft's, before it wrote source types
        found.source_types.append("none, but described as AI Generated Image")
        claimed = Declared.AI_GENERATED
    else:
        return None
    if claimed in (Declared.AI_GENERATED, Declared.AI_EDITED) or found.agent is None:
        found.agent = _agent(action) or found.agent
    return claimed


def _note(value: str, found: Origin) -> Declared | None:
    text = describe(value)
    if text not in found.source_types:
        found.source_types.append(text)
    return claim_of(value)


def _gravest(first: Declared | None, second: Declared | None) -> Declared | None:
    order = (Declared.AI_GENERATED, Declared.AI_EDITED, Declared.CAPTURED)
    return next((claim for claim in order if claim in (first, second)), None)


def _agent(action: dict[str, Any]) -> str | None:
    agent = action.get("softwareAgent")
    if isinstance(agent, dict):
        return " ".join(str(agent[key]) for key in ("name", "version") if agent.get(key)) or None
    return agent if isinstance(agent, str) else None


def _iptc(assertion: dict[str, Any]) -> Any:
    """Digital source type of a metadata assertion."""
    data = assertion.get("data")
    if assertion.get("label") not in ("stds.iptc", "c2pa.metadata") or not isinstance(data, dict):
        return None
    return data.get("Iptc4xmpExt:DigitalSourceType")


def _capture(manifest: dict[str, Any], found: Origin) -> Declared | None:
    """A camera's signed EXIF: cameras from before `digitalCapture` say it there."""
    for assertion in manifest.get("assertions") or []:
        data = assertion.get("data")
        if assertion.get("label") not in ("stds.exif", "c2pa.metadata") or not isinstance(data, dict):
            continue
        if "photographed" in str(data.get("exif:SceneType", "")) and "camera" in str(data.get("exif:FileSource", "")):
            found.source_types.append("none, but its EXIF assertion says directly photographed by a camera")
            return Declared.CAPTURED
    return None


def _claim_generator(manifest: dict[str, Any]) -> str | None:
    """The program that made the manifest; None where that is but a library for it."""
    for info in manifest.get("claim_generator_info") or []:
        name = str(info.get("name") or "")
        if name and "c2pa" not in name.lower():
            return " ".join(str(info[key]) for key in ("name", "version") if info.get(key))
    generator = manifest.get("claim_generator")
    if isinstance(generator, str) and generator and "c2pa" not in generator.split(" ")[0].lower():
        return generator.split(" ")[0]
    return None
