"""`python -m monkeytown`: the same command line as `monkeytown`. Knows only where that is."""

from monkeytown.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
