"""What runs to completion, unattended?

Job handlers, run as Ray tasks (`task` mode) or coroutines in a node's agent (`inline` mode). Holds nothing between
runs. Never imports `serve_app`.
"""
