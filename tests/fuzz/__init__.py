"""A fuzzer: random inputs for all that reads what a stranger wrote, each with a check that says what is right.

`cases` runs one input within limits, `workers` keeps the processes that do so, `__main__` shares out the time and
reports. A target is an input's maker and its check; they stand in the modules that begin with `of_`.
"""
