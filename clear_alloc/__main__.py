"""`python -m clear_alloc`, the same as the command `clear-alloc`."""

import sys

from clear_alloc.cli import main

if __name__ == "__main__":
    sys.exit(main())
