"""Let ``python -m pycyto`` do what ``pycyto`` does."""

import sys

from pycyto.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
