"""Believable demo data, the same every time: people, a catalogue, order histories, conversations.

`python -m db.seed --scale small|medium|large`, or `./mobula seed`. Rows are written by COPY, without domain events:
nobody gets a welcome e-mail for an invented account.
"""
