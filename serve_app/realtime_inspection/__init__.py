"""What operators see of the realtime processes: nodes, connections, how the last ones ended, traces."""
