"""The README's map is the tree, its names exist, and its commands are single lines."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOP = {
    ".ci", ".git", ".gitignore", "CHANGELOG.md", "LICENSE", "README.md", "cxmodels", "docs",
    "notebooks", "pyproject.toml", "tests",
}  # fmt: skip


def mapped() -> set[str]:
    return set(re.findall(r"^\| `([a-z_/]+)` \|", README, flags=re.MULTILINE))


def folders() -> set[str]:
    inside = [*(ROOT / "cxmodels").iterdir(), *(ROOT / "tests").iterdir()]
    found = {
        path.relative_to(ROOT).as_posix()
        for path in inside
        if path.is_dir() and any(path.rglob("*.py")) and not path.name.startswith((".", "__"))
    }
    return found | {"docs", "notebooks"}


def test_map_equals_the_tree():
    assert mapped() == folders()


def test_nothing_else_shows_at_the_top():
    tracked = {path.name for path in ROOT.iterdir()}
    ignored = {".venv", ".venv-lowest", "runs", "cxmodels-demo", "dist", "build"}
    shown = {
        name for name in tracked - ignored if not re.match(r"^\.\w+_cache$|^\.hypothesis$", name)
    }
    assert shown <= TOP, shown - TOP


def test_places_named_in_the_recipes_exist():
    for path in re.findall(r"`((?:cxmodels|tests|notebooks)/[\w/]+\.\w+)`", README):
        assert (ROOT / path).exists(), path


def test_commands_are_one_line_each():
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    assert len(blocks) == 2
    assert all(block.strip().count("\n") == 0 for block in blocks)
    assert all("python3 -m venv .venv" in block for block in blocks)


def test_each_dependency_has_its_reason():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    facts = tomllib.loads(text)["project"]
    extras = facts["optional-dependencies"].values()
    wanted = [*facts["dependencies"], *(name for extra in extras for name in extra)]
    for name in wanted:
        line = next(line for line in text.splitlines() if f'"{name}"' in line)
        assert "# " in line or name.startswith("cxmodels["), line


def test_changelog_speaks_of_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "version"
    ]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
