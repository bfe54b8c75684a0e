"""Speed and memory beside lifetimes 0.11.3, and beside the same SQL by hand in DuckDB.

    python -m tests.benchmarks                 # full size, three repetitions, some minutes
    python -m tests.benchmarks --small         # seconds; only to see that everything runs
    python -m tests.benchmarks --only fit_million import --json out.json

Each measurement is a fresh process; the sides of a benchmark take turns, so that whatever else the
machine does falls on both. Trust the ratios of one run, not its seconds; on a busy machine those of
processor time say more than those of the clock. Speed is never asserted.
"""
