"""Ray on this machine: its environment, its head node, HAProxy's wrapper, and which processes are ours."""
