"""Node agents: one process per node that runs and watches the jobs leased to it."""
