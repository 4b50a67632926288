"""``python -m pipelines.cli``: the command line without an installed command."""

from pipelines.cli.app import main

if __name__ == "__main__":
    main()
