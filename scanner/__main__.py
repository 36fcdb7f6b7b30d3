"""`python -m scanner` is `dfscan`."""

from scanner.cli import main

if __name__ == "__main__":
    main()
