import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from actors.brokers.channel import encode_pub
from actors.brokers.contract import ClientInfo
from actors.brokers.operations import Publish
from actors.brokers.stored import attributes_of, encode_row, parse_attributes
from db.streams.reader import StoredPublication

texts = st.text(max_size=10)
infos = st.one_of(st.none(), st.builds(ClientInfo, texts, texts, st.binary(max_size=9), st.binary(max_size=9)))


@given(
    st.builds(
        Publish,
        st.just(1),
        st.just("ledger:a"),
        st.binary(max_size=20),
        st.just("id"),
        infos,
        st.one_of(st.none(), st.dictionaries(texts, texts, min_size=1, max_size=3)),
        exclude_clients=st.tuples(texts),
        exclude_users=st.one_of(st.just(()), st.tuples(texts)),
    ),
    st.booleans(),
)
def test_a_stored_publication_is_the_live_one_byte_for_byte(op, delta):
    live = encode_pub(op, 7, "epoch", 99, delta=delta)
    row = StoredPublication(7, op.data, attributes_of(op, delta=delta), 99)
    assert encode_row(row, "epoch", delta=False) == live


def test_most_publications_need_no_attributes():
    assert attributes_of(Publish(1, "c", b"x", "id"), delta=False) is None
    assert attributes_of(Publish(1, "c", b"x", "id", tags={}), delta=False) is None


def test_what_sql_writes_is_understood():
    assert parse_attributes('{"tags": {"a": "b"}}').tags == {"a": "b"}


def test_what_somebody_wrote_in_another_form_counts_as_nothing():
    for odd in ('{"tags": [1]}', "[]", '"x"', '{"tags": {"a": {"b": 1}}}'):
        json.loads(odd)
        assert parse_attributes(odd).tags is None


def test_values_that_can_be_read_as_text_are():
    parsed = parse_attributes('{"tags": {"a": "1"}, "unknown": true}')
    assert msgspec.to_builtins(parsed) == {"tags": {"a": "1"}}
