"""What is a process here, and where does it run?

Settings, names, the `mobula` command, local services, Ray and HAProxy start-up, manifests. The lowest room: it imports
nothing of ours. What it starts elsewhere it reaches by import string (`cluster.names`).
"""
