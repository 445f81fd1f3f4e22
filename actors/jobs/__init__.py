"""The queue owner: claims jobs, hands them to node agents, ends them, and rescues what nobody runs any more."""
