"""`make icons`: of 2,000 icons only those that our pages name, in static/icons/; the whole font is heavy."""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WHOLE = ROOT / "static" / "vendor" / "bootstrap-icons"
CHOSEN = ROOT / "static" / "icons"

RULE = re.compile(r'\.bi-([a-z0-9-]+)::before\{content:"\\([0-9a-f]+)"\}')
TAG = re.compile(r"\{%.*?%\}")
#: `bi-funnel`, or a choice of Django's between names: `bi-{% if well %}check-lg{% else %}x-lg{% endif %}`.
IN_PAGES = re.compile(r"\bbi-((?:\{%.*?%\}|[a-z0-9-])+)")
#: Python names icons by themselves, far from the `bi-`; and some other texts are words that icons have too.
IN_PYTHON = re.compile(r"""["']([a-z0-9-]+)["']""")
NAMED_IN = {
    "templates": ("*.html", IN_PAGES),
    "static/js": ("*.js", IN_PAGES),
    "seqauto": ("*.py", IN_PYTHON),
}


def icons_of(stylesheet: Path) -> dict[str, str]:
    """The code point of each icon, in hexadecimal, by its name."""
    return dict(RULE.findall(stylesheet.read_text()))


def words_of_pages() -> Iterator[str]:
    """Whatever may be the name of an icon."""
    for folder, (pattern, names) in NAMED_IN.items():
        for path in sorted((ROOT / folder).rglob(pattern)):
            for found in names.findall(path.read_text()):
                yield from TAG.sub(" ", found).split()


def named() -> dict[str, str]:
    """The code point of each icon that our pages name."""
    every = icons_of(WHOLE / "bootstrap-icons.min.css")
    return {name: every[name] for name in sorted(set(words_of_pages()) & set(every))}


def main() -> None:
    icons = named()
    CHOSEN.mkdir(exist_ok=True)
    (CHOSEN / "icons.css").write_text(stylesheet(icons))
    write_font(icons.values())
    sizes = ", ".join(f"{path.name} {path.stat().st_size:,} bytes" for path in sorted(CHOSEN.iterdir()))
    print(f"{len(icons)} icons: {sizes}")


def stylesheet(icons: dict[str, str]) -> str:
    """As the whole one, with its licence."""
    whole = (WHOLE / "bootstrap-icons.min.css").read_text()
    face = re.compile(r"@font-face\{.*?\}", re.DOTALL)
    head = face.sub(
        '@font-face{font-display:block;font-family:bootstrap-icons;src:url("icons.woff") format("woff")}',
        whole[: RULE.search(whole).start()],  # type: ignore[union-attr]  it has rules
    )
    rules = (f'.bi-{name}::before{{content:"\\{code}"}}' for name, code in icons.items())
    return "\n".join([head, *rules, ""])


def write_font(codes: Iterable[str]) -> None:
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    font = TTFont(WHOLE / "fonts" / "bootstrap-icons.woff", recalcTimestamp=False)
    subsetter = Subsetter(Options(drop_tables=["FFTM", "GSUB"], hinting=False))
    subsetter.populate(unicodes=[int(code, 16) for code in codes])
    subsetter.subset(font)
    font.flavor = "woff"
    font.save(CHOSEN / "icons.woff")


if __name__ == "__main__":
    sys.exit(main())
