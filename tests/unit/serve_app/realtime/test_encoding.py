import json

from actors.brokers.contract import ClientInfo, HistoryReply, Publication, StreamPosition
from actors.protocol.frames import Push, Reply
from actors.protocol.json_codec import JSON
from serve_app.realtime.encoding import ANSWER_BYTES, fitting, history_message, info_message, publication_message


def test_only_the_first_publication_of_a_stream_carries_the_epoch() -> None:
    assert publication_message(Publication(b"1", offset=1, epoch="e")).epoch == "e"
    assert publication_message(Publication(b"1", offset=2, epoch="e")).epoch == ""
    assert publication_message(Publication(b"1", offset=2, epoch="e"), with_epoch=True).epoch == "e"


def test_payloads_and_infos_are_embedded_raw() -> None:
    info = ClientInfo("", "c", b'{"n": 1}', b"[2]")
    publication = Publication(b'{"a" :1}', info=info, removed=True, key="k")
    message = JSON.encode(Reply(push=Push(channel="c", pub=publication_message(publication))))
    assert b'{"a" :1}' in message
    assert json.loads(message)["push"]["pub"]["info"] == {
        "user": "", "client": "c", "conn_info": {"n": 1}, "chan_info": [2],
    }  # fmt: skip


def test_empty_values_are_left_out() -> None:
    assert JSON.encode(Reply(push=Push(pub=publication_message(Publication(b""))))) == b'{"push":{"pub":{}}}'
    assert info_message(ClientInfo("u", "c")).user == "u"


def test_history_names_the_top() -> None:
    message = history_message(HistoryReply(StreamPosition("e", 5)))
    assert (message.epoch, message.offset, message.publications) == ("e", 5, [])


def test_an_answer_carries_what_fits_and_at_least_one() -> None:
    publications = [Publication(b"x" * 1_500_000, offset=n) for n in range(1, 6)]
    assert [each.offset for each in fitting(publications)] == [1, 2]
    assert [each.offset for each in fitting(publications, 5_000_000)] == [1, 2, 3]
    huge = [Publication(b"x" * (ANSWER_BYTES + 1), offset=1), publications[0]]
    assert fitting(huge) == huge[:1]
    assert fitting([]) == []
    assert len(history_message(HistoryReply(StreamPosition("e", 5), publications)).publications) == 2
