"""`python -m cluster.cli`: what the `mobula` script hands over to."""

from cluster.cli.main import main

if __name__ == "__main__":
    main()
