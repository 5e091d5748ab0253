"""Entry point of ``python -m segcore.train``."""

from segcore.train.main import main

raise SystemExit(main())
