import re
import subprocess

from cluster.settings import ROOT, Settings
from cluster.settings_docs import GROUPS, OUTSIDE, SEED_NAMES, generated, render_env_example, render_markdown


def test_every_variable_is_in_both_files() -> None:
    example, page = render_env_example(), render_markdown()
    for name, field in Settings.model_fields.items():
        assert f"#{name.upper()}=" in example
        assert f"`{name.upper()}`" in page
        assert field.description, name


def test_groups_begin_at_settings_that_exist() -> None:
    assert set(GROUPS) <= set(Settings.model_fields)


def test_the_architectures_names_are_kept_or_explained() -> None:
    for old, (new, note) in SEED_NAMES.items():
        assert note
        assert new in ("–", "MOBULA_API_ORIGIN") or new.lower() in Settings.model_fields, old


def test_no_secret_has_a_default() -> None:
    for line in render_env_example().splitlines():
        name, _, value = line.partition("=")
        if name.endswith(("_KEY", "_PASSWORD", "_TOKEN", "_DSN")):
            assert value == "", line


def test_both_files_are_generated() -> None:
    assert sorted(path.name for path in generated()) == [".env.example", "settings.md"]


def test_what_is_read_beside_the_settings_is_documented() -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    ours = [ROOT / name for name in tracked.split("\0") if name.endswith((".py", ".ts", ".mjs")) or name == "mobula"]
    read = re.compile(r"(?:environ(?:\.get)?[\[(]\"|process\.env\.|\$\{)(MOBULA_[A-Z_]+|CHROMIUM)")
    code = [file for file in ours if file.exists() and not file.is_relative_to(ROOT / "tests" / "unit")]
    found = {name for file in code for name in read.findall(file.read_text(errors="replace"))}
    settings = {name.upper() for name in Settings.model_fields}
    assert found - settings == set(OUTSIDE)
