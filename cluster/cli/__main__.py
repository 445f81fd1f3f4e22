"""`python -m cluster.cli`, which the `mobula` script hands over to."""

import sys

from cluster.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
