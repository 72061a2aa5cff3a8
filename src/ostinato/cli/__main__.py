"""`python -m ostinato.cli`, the same as `ostinato`."""

import sys

from ostinato.cli.main import main

sys.exit(main())
