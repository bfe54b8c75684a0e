"""`python -m cxmodels` is the command `cxmodels`."""

from cxmodels.cli import main

if __name__ == "__main__":
    main()
