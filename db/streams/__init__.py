"""Durable streams: publications that are committed, behind a fence, before anybody hears of them."""
