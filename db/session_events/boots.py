"""Names of a hub's lives on the roster.

A process whose lease there ended lives on under the same name with a number: everybody still knows which process it is.
"""


def renewed(boot: str) -> str:
    """The next life of the same process."""
    process, _, number = boot.partition(".")
    return f"{process}.{int(number or 0) + 1}"


def process_of(boot: str) -> str:
    """The boot id by which the process reaches shards."""
    return boot.partition(".")[0]
