"""Runs the command line: see `keras_trainfix.cli`."""

import sys

from keras_trainfix.cli import main

if __name__ == "__main__":
    sys.exit(main())
