"""How far people have read a channel: positions in its durable stream, which only move forward."""
