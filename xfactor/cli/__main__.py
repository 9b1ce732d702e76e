"""Run it with ``python -m xfactor.cli``."""

import sys

from xfactor.cli.commands import main

sys.exit(main())
