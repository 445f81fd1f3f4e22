"""Types of the files come from the dataset, not from what happens to be in the rows."""

from decimal import Decimal

import pyarrow as pa
import pytest

from db.exports.datasets import DATASETS, ORDERS
from tasks.exports.batches import cast_batch, schema_of


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda dataset: dataset.name)
def test_every_dataset_has_a_schema_with_descriptions(dataset: object) -> None:
    schema = schema_of(dataset)  # type: ignore[arg-type]
    assert schema.names
    assert all(field.metadata[b"description"] for field in schema)


def test_numerics_keep_every_digit() -> None:
    schema = pa.schema([pa.field("total", pa.decimal128(12, 2))])
    text = pa.array(["9999999999.99", "0.10", None])
    opaque = pa.ExtensionArray.from_storage(pa.opaque(pa.string(), "numeric", "PostgreSQL"), text)
    batch = cast_batch(pa.RecordBatch.from_arrays([opaque], names=["total"]), schema)
    assert batch.column(0).to_pylist() == [Decimal("9999999999.99"), Decimal("0.10"), None]


def test_a_value_that_does_not_fit_is_an_error_and_not_a_rounding() -> None:
    schema = pa.schema([pa.field("total", pa.decimal128(12, 2))])
    with pytest.raises(pa.ArrowInvalid):
        cast_batch(pa.RecordBatch.from_arrays([pa.array(["1.005"])], names=["total"]), schema)


def test_decimal_columns_are_declared_as_the_table_has_them() -> None:
    assert schema_of(ORDERS).field("total_amount").type == pa.decimal128(12, 2)
