"""`python -m bgcam` is the command `bgcam`."""

from bgcam.realtime.command.cli import main

raise SystemExit(main())
