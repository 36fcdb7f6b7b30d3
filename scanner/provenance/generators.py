"""Recognises the text that picture generators leave in a file, and takes out who and which model, not the prompt."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from scanner.provenance.containers import Text
from scanner.provenance.interface import EvidenceSettings, unsigned, with_prompt
from scanner.records import Declared, Evidence


@dataclass(frozen=True, slots=True)
class Mark:
    """What a text says of the generator that wrote it."""

    generator: str
    model: str | None = None
    prompt: str = ""
    claim: Declared | None = Declared.AI_GENERATED
    note: str = ""


def recognise(text: Text, settings: EvidenceSettings) -> Evidence | None:
    """Evidence where a text is that of a known generator, by its keyword and form; else None."""
    for rule in _RULES:
        mark = rule(text.key, text.value)
        if mark is None:
            continue
        detail = f"{_place(text)} {mark.note or 'holds generation data'}"
        if mark.model:
            detail += f"; model {mark.model[:120]}"
        evidence = unsigned("exif" if text.place == "exif" else text.place, mark.claim, mark.generator, detail)
        return with_prompt(evidence, mark.prompt, settings)
    return None


def _place(text: Text) -> str:
    name = {"png-text": "PNG text", "exif": "EXIF", "xmp": "XMP", "comment": "comment", "watermark": "hidden text"}
    return f"{name[text.place]} {text.key[:60]!r}" if text.place != "comment" else "comment"


_STEPS = re.compile(r"(?:^|[\s,.])Steps: ?\d+")
_SETTING = re.compile(r"\b(?:Sampler|CFG scale|Seed|Size|Model hash|Schedule type): ?\S")
_MODEL = re.compile(r"\bModel: ([^,\n]{1,120})")
_VERSION = re.compile(r"\bVersion: ([^,\n]{1,60})")
_APP = re.compile(r"\bApp: ([^,\n]{1,60})")


def _a1111(key: str, value: str) -> Mark | None:
    """`prompt`, `Negative prompt:`, then `Steps: 20, Sampler: …`: the form that A1111 began and many took over."""
    steps = _STEPS.search(value)
    if steps is None or not _SETTING.search(value, steps.start()):
        return None
    model = _MODEL.search(value, steps.start())
    return Mark(
        _a1111_writer(value[steps.start() :]),
        model.group(1).strip() or None if model else None,
        prompt=re.split(r"\nNegative prompt:", value[: steps.start()])[0],
        note="holds generation parameters",
    )


def _a1111_writer(settings: str) -> str:
    app, version = _APP.search(settings), _VERSION.search(settings)
    if app:
        return app.group(1).strip()
    name = version.group(1).strip().lower() if version else ""
    known = {"comfyui": "ComfyUI", "fooocus": "Fooocus", "stable-diffusion.cpp": "stable-diffusion.cpp", "neo": "Forge"}
    for prefix, writer in known.items():
        if name.startswith(prefix):
            return writer
    if re.match(r"f\d", name):
        return "Forge"
    if "Civitai resources:" in settings or "Civitai metadata:" in settings:
        return "Civitai"
    return "Stable Diffusion web UI" if re.match(r"v?\d", name) else "Stable Diffusion family (A1111 form)"


_COMFY_MODEL = re.compile(r'"(?:ckpt_name|unet_name|model_name)"\s*:\s*"([^"\\]{1,120})"')
_COMFY_PREFIX = re.compile(r"\s*(?:prompt|workflow)\s*:?\s*(?=\{)", re.I)


def _comfyui(key: str, value: str) -> Mark | None:
    """ComfyUI's graph, as PNG chunks `prompt` and `workflow` or in EXIF Make, Model and ImageDescription."""
    prefixed = _COMFY_PREFIX.match(value)
    if key.lower() not in ("prompt", "workflow") and not prefixed:
        return None
    body = value[prefixed.end() :] if prefixed else value.lstrip()
    if not body.startswith("{"):
        return None
    graph = '"class_type"' in body and '"inputs"' in body
    editor = '"nodes"' in body and ('"links"' in body or '"last_node_id"' in body)
    if not graph and not editor:
        return None
    model = _COMFY_MODEL.search(body)
    prompt = re.search(r'"text"\s*:\s*"((?:[^"\\]|\\.){1,2000})"', body)
    name = "prompt" if graph else "workflow"
    return Mark(
        "ComfyUI", model.group(1) if model else None, prompt.group(1) if prompt else "", note=f"holds a ComfyUI {name}"
    )


def _invokeai(key: str, value: str) -> Mark | None:
    if key in ("invokeai_metadata", "invokeai_graph", "invokeai_workflow") and value.lstrip().startswith("{"):
        return Mark("InvokeAI", _json_text(value, "model_name", "name"), _json_text(value, "positive_prompt") or "")
    if key == "sd-metadata" and '"app_id"' in value:
        return Mark("InvokeAI", _json_text(value, "model_weights", "model"), _json_text(value, "prompt") or "")
    # Dream: the command line of lstein's fork, InvokeAI's forerunner.
    if key == "Dream" and re.search(r"\s-s ?\d+\b", value) and re.search(r"\s-(?:S|C|W) ?[\d.]+", value):
        return Mark("InvokeAI", None, value.partition('" -')[0], note="holds a dream command of InvokeAI")
    return None


def _novelai(key: str, value: str) -> Mark | None:
    if key in ("Software", "software") and value.strip() == "NovelAI":
        return Mark("NovelAI", note="names NovelAI")
    if key == "Source" and re.match(r"(?:Stable Diffusion|NovelAI Diffusion)[\w .]{0,20} [0-9A-F]{8}\b", value):
        return Mark("NovelAI", value.strip(), note="names its model")
    if key == "Comment" and value.lstrip().startswith("{") and '"uc"' in value and '"sampler"' in value:
        return Mark("NovelAI", None, _json_text(value, "prompt") or "")
    return None


def _json_apps(key: str, value: str) -> Mark | None:
    """Programs that write JSON under a key of their own."""
    body = value.lstrip()
    if key == "fooocus_scheme":
        return Mark("Fooocus", note="names Fooocus' metadata scheme")
    if not body.startswith("{"):
        return None
    if '"sui_image_params"' in body:
        return Mark("SwarmUI", _json_text(body, "model"), _json_text(body, "prompt") or "")
    if '"metadata_scheme"' in body or re.search(r'"version"\s*:\s*"Fooocus', body):
        return Mark("Fooocus", _json_text(body, "base_model"), _json_text(body, "prompt") or "")
    if '"aigc_info"' in body:
        source = _json_text(body, "source_info")
        return Mark(source or "an AI service (aigc_info)", note="holds aigc_info of a ByteDance service")
    if '"use_stable_diffusion_model"' in body:
        return Mark("Easy Diffusion", _json_text(body, "use_stable_diffusion_model"), _json_text(body, "prompt") or "")
    if key == "generation_data" and '"baseModel"' in body:
        return Mark("Tensor.Art", _json_text(body, "modelFileName", "label"), _json_text(body, "prompt") or "")
    if key == "UserComment" and '"sampler"' in body and '"uc"' in body and '"c"' in body:
        return Mark("Draw Things", _json_text(body, "model"), _json_text(body, "c") or "")
    return None


_EASY_DIFFUSION = ("use_stable_diffusion_model", "num_inference_steps")
_JOB = re.compile(r"\bJob ID: [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


def _single_lines(key: str, value: str) -> Mark | None:
    """Marks that are one line."""
    if key in ("Description", "description", "ImageDescription") and (job := _JOB.search(value)):
        return Mark("Midjourney", None, value[: job.start()], note="holds a Midjourney job number")
    if key == _EASY_DIFFUSION[0] and value.strip():
        return Mark("Easy Diffusion", value.strip())
    if key in ("extras", "postprocessing") and re.match(r"Upscale: ?[\d.]+", value):
        return Mark("Stable Diffusion web UI", None, claim=None, note="says upscaled, not generated")
    return None


# Strings of real files; a bare "AI" or "Photoshop" says nothing of how the pixels came to be.
_PROGRAMS = re.compile(
    r"\s*(Imaginairy|NovelAI|InvokeAI|ComfyUI|Stable Diffusion|Draw Things|Midjourney|Adobe Firefly|"
    r"Fooocus|SwarmUI|SD\.Next|DiffusionBee|Easy Diffusion|stable-diffusion\.cpp)\b[ /v]*(.{0,60})",
    re.I,
)


def _program(key: str, value: str) -> Mark | None:
    if key not in ("Software", "CreatorTool", "Make", "Model", "Generator", "Source"):
        return None
    named = _PROGRAMS.match(value)
    return Mark(named.group(1), None, note=f"names {value.strip()[:60]}") if named else None


def _json_text(value: str, *names: str) -> str | None:
    """The first string under one of these names, by pattern: a whole parse would cost more than the answer is worth."""
    for name in names:
        found = re.search(rf'"{name}"\s*:\s*"((?:[^"\\]|\\.){{1,2000}})"', value)
        if found:
            return found.group(1)
    return None


_RULES: tuple[Callable[[str, str], Mark | None], ...] = (
    _comfyui,
    _a1111,
    _invokeai,
    _novelai,
    _json_apps,
    _single_lines,
    _program,
)
