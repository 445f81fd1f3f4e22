"""Jobs are rows: enqueue in the caller's transaction, claim by the queue owner, finish under a lease token."""
