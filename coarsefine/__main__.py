"""The command ``coarsefine``, and ``python -m coarsefine`` where it is not installed."""

import sys

from coarsefine.house import check_house


def main() -> None:
    """Run the command line, or say in one line what stands in front of it."""
    try:
        check_house()
    except ImportError as error:
        sys.stderr.write(f"coarsefine: {error}\n")
        sys.exit(2)
    from pipelines.cli import main

    main()


if __name__ == "__main__":
    main()
