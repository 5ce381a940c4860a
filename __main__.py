"""`python -m bgcam` is the command `bgcam`."""

from bgcam.realtime.cli import main

raise SystemExit(main())
