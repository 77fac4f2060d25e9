# SPDX-License-Identifier: Apache-2.0
"""What every system test imports first: the test bed of tools/dev on the module path, and the usual main()."""
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "dev"))


def boot_node(case):
    """An appliance for all tests of the class, gone after the last."""
    import appliance
    bed = appliance.fresh_bed()
    bed.create()
    case.addClassCleanup(bed.remove)
    return appliance.Appliance(bed).boot()


def main():
    unittest.main(verbosity=2)
