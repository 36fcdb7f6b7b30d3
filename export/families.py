"""Which family a generator belongs to, by the name that a manifest gives it."""

from __future__ import annotations

import re

OTHER = "other"
"""Known generators of no family that has a name of its own; never told as a hint."""

FAMILIES = ("GAN", "Stable Diffusion", "DALL-E or GPT image", "Gemini or Imagen", "Midjourney", "Flux", OTHER)
"""In the order of the graph's output `family`."""

_UNCLEAR = re.compile(r"^$|unknown(?!-version$)|unspecified|unnamed|-or-(?!\d)|pollinations|\bai\b")
_NOT_WHAT_THEY_SOUND_LIKE = re.compile(r"dalle?-?e?-?mini|vqgan|craiyon")
_NAMES = (
    ("GAN", re.compile(r"gan(\d|-|$)")),
    ("Stable Diffusion", re.compile(r"^sd($|[-\d])|^sdxl|^stable-(diffusion|cascade|image)|latent-diffusion|^novelai")),
    ("DALL-E or GPT image", re.compile(r"^dall-?e|^gpt-?\d|^gpt-image|^bing-image")),
    ("Gemini or Imagen", re.compile(r"^gemini|^imagen|^nano-banana")),
    ("Midjourney", re.compile(r"^midjourney|^niji")),
    ("Flux", re.compile(r"^flux")),
)


def family_of(generator: str) -> str | None:
    """The family of a generator by its name; None for one that tells none, as `unknown-diffusion` does."""
    name = generator.strip().lower().replace("_", "-").replace(" ", "-")
    if _NOT_WHAT_THEY_SOUND_LIKE.search(name):
        return OTHER
    for family, pattern in _NAMES:
        if pattern.search(name) and not re.search(r"-or-[a-z]", name):
            return family
    return None if _UNCLEAR.search(name) else OTHER
