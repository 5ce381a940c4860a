"""Slow tests of `bgcam batch` on Ray: without BGCAM_BATCH, which `make test-batch` sets, none is collected."""

import os

collect_ignore_glob = [] if os.environ.get("BGCAM_BATCH") else ["test_*.py"]
