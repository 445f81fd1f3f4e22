"""Publications made inside a transaction: they go out when it commits, in commit order, or not at all."""

from db.outbox.service import map_publish, map_remove, publish, replace_publication, send_to_user

__all__ = ["map_publish", "map_remove", "publish", "replace_publication", "send_to_user"]
