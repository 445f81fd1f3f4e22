"""Nobody chooses a path."""

from pathlib import Path
from uuid import uuid4

import pytest

from cluster.settings import Settings
from db.exports import storage
from db.exports.errors import ExportFileNotFound


def test_files_lie_in_the_export_s_directory(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, export_dir=tmp_path)  # type: ignore[call-arg]
    export_id = uuid4()
    name = storage.part_name("orders", 3, 17, "0badcafe", "parquet")
    assert name == "orders-part-00003-17-0badcafe.parquet"
    for known in (name, "orders-part-00003-17.csv"):  # as they were called before
        assert storage.file_path(settings, export_id, known) == tmp_path / str(export_id) / "data" / known


@pytest.mark.parametrize(
    "name",
    ["", "../../secrets", "_manifest.json", "orders-part-00001-1.parquet/../x", "orders-part-1.exe", "/etc/passwd"],
)
def test_other_names_do_not_exist(tmp_path: Path, name: str) -> None:
    settings = Settings(_env_file=None, export_dir=tmp_path)  # type: ignore[call-arg]
    with pytest.raises(ExportFileNotFound):
        storage.file_path(settings, uuid4(), name)


def test_without_a_setting_they_lie_under_mobula_home(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, mobula_home=tmp_path)  # type: ignore[call-arg]
    assert storage.root(settings) == tmp_path / "exports"
