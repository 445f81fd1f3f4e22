"""Only what is declared reaches SQL."""

from typing import Any
from uuid import UUID

import pytest

from db.exports.datasets import DATASETS, ORDERS, get_dataset
from db.exports.errors import InvalidExportFilter, UnknownDataset

USER = UUID("01a20000-0000-7000-8000-000000000001")


def test_unknown_datasets_are_refused() -> None:
    assert get_dataset("orders") is ORDERS
    with pytest.raises(UnknownDataset):
        get_dataset("users; DROP TABLE auth.users")


@pytest.mark.parametrize(
    "filters",
    [
        {"nothing": "x"},
        {"status": "paid' OR true --"},
        {"status": ["paid"]},
        {"created_from": "yesterday"},
        {"created_from": "2026-01-01'::timestamptz OR true --"},
        {"created_until": None},
        {"created_until": "0001-01-01T00:00:00+14:00"},
        {"created_until": "9999-12-31T23:59:59-01:00"},
    ],
)
def test_filters_take_only_checked_values(filters: dict[str, Any]) -> None:
    for dataset in DATASETS.values():
        with pytest.raises(InvalidExportFilter):
            dataset.where(scope="all", user_id=USER, filters=filters)


def test_own_rows_unless_all_are_granted() -> None:
    own = ORDERS.where(scope="own", user_id=USER, filters={"status": "paid"})
    assert own == f"o.user_id = '{USER}'::uuid AND o.status = 'paid'"
    assert ORDERS.where(scope="all", user_id=USER, filters={}) == "true"
    dated = ORDERS.where(scope="all", user_id=USER, filters={"created_from": "2026-01-01"})
    assert dated == "o.created_at >= '2026-01-01T00:00:00+00:00'::timestamptz"


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ("2026-01-01", "2026-01-01T00:00:00+00:00"),
        ("2026-01-01T10:00:00", "2026-01-01T10:00:00+00:00"),
        ("2026-01-01T10:00:00+14:00", "2025-12-31T20:00:00+00:00"),
        ("2026-01-01T10:00:00Z", "2026-01-01T10:00:00+00:00"),
    ],
)
def test_moments_are_utc(given: str, moment: str) -> None:
    assert ORDERS.check_filters({"created_from": given}) == {"created_from": moment}
    assert ORDERS.check_filters({"created_from": moment}) == {"created_from": moment}


def test_parts_are_block_ranges_and_only_text_is_guarded() -> None:
    query = ORDERS.select("true", blocks=(8, 16), for_spreadsheets=True)
    assert "o.ctid >= '(8,0)'::tid AND o.ctid < '(16,0)'::tid AND true" in query
    assert "CASE WHEN o.status ~" in query
    assert "CASE WHEN o.total_amount" not in query
    assert "CASE" not in ORDERS.select("true")
    assert ORDERS.count("true") == "SELECT count(*) FROM app.orders AS o WHERE true"
