"""`make bench`: every measurement, one after the other, so that none disturbs another."""

import runpy
import sys

MEASUREMENTS = {
    "bench.formats": [],
    "bench.scan": ["--million"],
    "bench.copying": [],
    "bench.upload": [],
    "bench.pages": [],
}

for module, arguments in MEASUREMENTS.items():
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__")
