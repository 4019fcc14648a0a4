"""``python -m lfcore`` is the ``lfcore`` command."""

import sys

from lfcore.cli.main import main

sys.exit(main())
