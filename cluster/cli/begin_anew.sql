-- What another cluster, or another history of this one, left in a restored database and must not go on with.

-- Clients may have read further than the backup goes. With the old epoch, offsets that are given out a second time
-- would look to them like those that they have; with a new one they are told `recovered: false`, and read all again.
-- Eight letters, as `actors.brokers.epochs` makes. How far people have read, and what callers' idempotency keys came
-- to, is as true of the restored stream as before: it follows, or everything would be unread to everybody.
WITH anew AS (
    UPDATE app.stream_heads h
    SET epoch = translate(substr(md5(gen_random_uuid()::text), 1, 8), '0123456789', 'ghijklmnop')
    FROM app.stream_heads old WHERE old.channel = h.channel
    RETURNING h.channel, old.epoch AS former, h.epoch
), positions AS (
    UPDATE app.read_positions p SET epoch = a.epoch FROM anew a WHERE a.channel = p.channel AND a.former = p.epoch
)
UPDATE app.publication_keys k SET epoch = a.epoch FROM anew a WHERE a.channel = k.channel AND a.former = k.epoch;

-- Read by transaction id, which a cluster counts for itself: where it counts lower, every shard would read these rows
-- again and again, and none would ever count as read by all. Nothing needs them, as caches begin empty. (The outbox has
-- transaction ids too; what is committed there goes by its position.)
TRUNCATE app.cache_invalidations;
