"""Text of generators in the places where they leave it."""

from __future__ import annotations

import json

import pytest

from scanner.records import Declared, Trust
from tests.provenance.builders import exif, jpeg, picture, png, read

A1111 = "a red fox\nNegative prompt: blur\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 7, Model: foxes"
GRAPH = {"4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "foxes.safetensors"}},
         "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red fox"}}}  # fmt: skip
WORKFLOW = {"last_node_id": 9, "nodes": [{"id": 4, "type": "CheckpointLoaderSimple"}], "links": []}
NOVELAI = {
    "Software": "NovelAI",
    "Source": "Stable Diffusion XL 9CC2F394",
    "Description": "a red fox",
    "Comment": json.dumps({"prompt": "a red fox", "steps": 28, "sampler": "k_euler", "uc": "blur"}),
}
INVOKE = {"app_version": "5.0", "positive_prompt": "a red fox", "model": {"name": "foxes"}}

CASES = [
    ("Stable Diffusion web UI", "foxes", {"parameters": A1111 + ", Version: v1.10.1"}),
    ("Stable Diffusion family (A1111 form)", "foxes", {"parameters": A1111}),
    ("Forge", "foxes", {"parameters": A1111 + ", Version: f2.0.1v1.10.1"}),
    ("SD.Next", "foxes", {"parameters": A1111 + ", App: SD.Next, Version: ce5cdff"}),
    ("ComfyUI", "foxes", {"parameters": A1111 + ", Version: ComfyUI"}),
    ("stable-diffusion.cpp", None, {"parameters": "a red fox.Steps: 4, Seed: 42, Version: stable-diffusion.cpp"}),
    ("Fooocus", "foxes", {"parameters": A1111 + ", Version: Fooocus v2.5.5", "fooocus_scheme": "a1111"}),
    ("Fooocus", "foxes", {"parameters": '{"prompt": "a red fox", "base_model": "foxes", "version": "Fooocus v2.5"}'}),
    ("ComfyUI", "foxes.safetensors", {"prompt": json.dumps(GRAPH), "workflow": json.dumps(WORKFLOW)}),
    ("ComfyUI", None, {"workflow": json.dumps(WORKFLOW)}),
    ("InvokeAI", "foxes", {"invokeai_metadata": json.dumps(INVOKE)}),
    ("InvokeAI", "sd", {"sd-metadata": json.dumps({"model": "sd", "app_id": "invoke-ai/InvokeAI"})}),
    ("InvokeAI", None, {"Dream": '"a red fox" -s50 -W512 -H512 -C7.5 -Ak_lms -S1372305360'}),
    ("NovelAI", "Stable Diffusion XL 9CC2F394", NOVELAI),
    ("SwarmUI", "foxes", {"parameters": json.dumps({"sui_image_params": {"prompt": "a red fox", "model": "foxes"}})}),
    ("Easy Diffusion", "foxes", {"use_stable_diffusion_model": "foxes", "prompt": "a red fox"}),
    ("Midjourney", None, {"Description": "a red fox --v 7 Job ID: 58ee647b-3abb-4392-8766-0f58e97958c7"}),
]  # fmt: skip


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(("generator", "model", "texts"), CASES)
def test_png_text(generator: str, model: str | None, texts: dict[str, str], compressed: bool) -> None:
    (found,) = read(png(texts, compressed=compressed))
    assert (found.source, found.claim, found.generator) == ("png-text", Declared.AI_GENERATED, generator)
    assert found.trust is Trust.UNSIGNED
    assert (f"model {model}" in found.detail) is (model is not None)


@pytest.mark.parametrize(("generator", "model", "texts"), CASES)
def test_prompts_are_shown_only_when_asked_for(generator: str, model: str | None, texts: dict[str, str]) -> None:
    data = png(texts)
    assert all("red fox" not in item.detail for item in read(data))
    holds_prompt = "Description" in texts or not {"workflow", "use_stable_diffusion_model"} & texts.keys()
    if holds_prompt and not {"Source", "sd-metadata"} & texts.keys():
        assert any("a red fox" in item.detail for item in read(data, show_prompts=True))


@pytest.mark.parametrize(
    ("generator", "block"),
    [
        ("SD.Next", exif({}, {0x9286: b"UNICODE\x00" + (A1111 + ", App: SD.Next").encode("utf-16-be")})),
        ("ComfyUI", exif({0x010E: "Workflow:" + json.dumps(WORKFLOW), 0x010F: "Prompt:" + json.dumps(GRAPH)})),
        ("ComfyUI", exif({0x010F: "workflow:" + json.dumps(WORKFLOW), 0x0110: "prompt:" + json.dumps(GRAPH)})),
        ("Imaginairy", exif({0x0131: "Imaginairy / Stable Diffusion v1.4"})),
        ("dreamina", exif({}, {0x9286: b'ASCII\x00\x00\x00{"aigc_info":{"source_info":"dreamina"}}'})),
    ],
)  # fmt: skip
def test_exif_text(generator: str, block: bytes) -> None:
    for data in (
        jpeg(exif=block),
        picture("WEBP", exif=block),
        picture("PNG", exif=block),
        picture("AVIF", exif=block),
    ):
        (found,) = read(data)
        assert (found.source, found.claim, found.generator) == ("exif", Declared.AI_GENERATED, generator)


def test_a_comment_is_read() -> None:
    (found,) = read(jpeg(comment=A1111.encode()))
    assert (found.source, found.claim) == ("comment", Declared.AI_GENERATED)


def test_chinas_label_in_a_text_chunk() -> None:
    (found,) = read(png({"AIGC": '{"Label":"1","ContentProducer":"00119"}'}))
    assert (found.source, found.claim) == ("png-text", Declared.AI_GENERATED)


@pytest.mark.parametrize(
    "texts",
    [
        {"Software": "Adobe Photoshop 24.1"},
        {"Software": "www.inkscape.org"},
        {"Comment": "Created with GIMP"},
        {"prompt": "what is your name?"},
        {"workflow": "see the wiki"},
        {"Description": "A fox. Steps: walk, run"},
        {"Description": "The Midjourney look, Job ID: none"},
        {"Comment": '{"sampler": "water"}'},
        {"Title": "Steps: 5"},
        {"Source": "Wikimedia"},
    ],
)
def test_ordinary_text_is_no_evidence(texts: dict[str, str]) -> None:
    assert read(png(texts)) == ()


@pytest.mark.parametrize("key", ["parameters", "sd-metadata", "invokeai_metadata"])
def test_junk_under_a_generators_key_is_malformed(key: str) -> None:
    (found,) = read(png({key: "junk junk"}))
    assert (found.claim, found.trust) == (None, Trust.MALFORMED)
    assert key in found.detail


def test_upscaling_is_told_and_claims_nothing() -> None:
    (found,) = read(png({"extras": "Upscale: 2, model:BSRGAN\n"}))
    assert found.claim is None


def test_a_hostile_model_name_is_one_printable_line() -> None:
    (found,) = read(png({"parameters": f"Steps: 2, Seed: 1, Model: \x1b[31m{'x' * 5000}\u202e"}))
    assert len(found.detail) <= 400
    assert found.detail.isprintable()
