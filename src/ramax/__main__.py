"""``python -m ramax`` is the `ramax` command."""

from ramax.cli import main

if __name__ == "__main__":
    main()
