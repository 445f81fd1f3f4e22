"""Exports: who asked for which dataset, how far it is, and the files that its manifest vouches for."""
