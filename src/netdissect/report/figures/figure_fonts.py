"""The font of all figures: Source Sans 3, bundled, and installed fonts for letters that it lacks."""

from __future__ import annotations

import base64
import re
from functools import cache
from importlib import resources

#: Source Sans 3 with fewer characters; its license reserves its name (fonts/OFL.txt).
FAMILY = "Netdissect Sans"
_FILES = ("netdissect-sans-regular.ttf", "netdissect-sans-semibold.ttf")
#: The page's files of the same font, which browsers read, by the weight in which matplotlib asks for them.
_WEB_FILES = {"normal": "source-sans-3.woff2", "bold": "source-sans-3-bold.woff2"}
#: Fonts for letters that the bundled one lacks, if installed.
_OTHERS = (
    "DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "PingFang SC", "Hiragino Sans",
    "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Arial Unicode MS", "Noto Sans Arabic", "Noto Sans Devanagari",
    "Noto Sans Thai", "Noto Sans Symbols2",
)  # fmt: skip


@cache
def find_fonts() -> list[str]:
    """Return the names of the fonts of figures, the bundled one first; matplotlib knows it from now on."""
    from matplotlib import font_manager

    for name in _FILES:
        with resources.as_file(resources.files(__package__) / "fonts" / name) as path:
            font_manager.fontManager.addfont(str(path))
    installed = set(font_manager.get_font_names())
    return [FAMILY, *(name for name in _OTHERS if name in installed)]


def embed_font(svg: bytes) -> bytes:
    """Return an SVG file with the weights of the font that its text uses, so that every browser shows it alike.

    Editors that ignore fonts in files find Source Sans 3 by its name, if it is installed.
    """
    bold = re.search(rb"font(-weight)?: (bold|700)", svg) is not None  # as versions of matplotlib write it
    faces = "".join(
        f'@font-face{{font-family:"{FAMILY}";font-weight:{weight};'
        f"src:url(data:font/woff2;base64,{_encode_web_font(name)})}}"
        for weight, name in _WEB_FILES.items()
        if weight == "normal" or bold
    )
    style = f'<style type="text/css">{faces}</style>'.encode()
    named = svg.replace(f"'{FAMILY}'".encode(), f"'{FAMILY}', 'Source Sans 3'".encode())
    return named.replace(b"<defs>", b"<defs>\n  " + style, 1)


@cache
def _encode_web_font(name: str) -> str:
    data = (resources.files("netdissect.report") / "html" / "static" / "fonts" / name).read_bytes()
    return base64.b64encode(data).decode()
