"""What the Debian package says and leaves out: its control fields, scripts, and the files that bgcam does not use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import dedent

from bgcam.realtime.command.install.unit import ON_DEMAND, unit_text

NAME = "bgcam"
PREFIX = Path("/opt/bgcam")
MAINTAINER = "bgcam developers <maintainers@bgcam.invalid>"

# Patterns below site-packages. bgcam runs OpenVINO's CPU plugin on an ONNX file; its cache is in OpenVINO's own format
# (ir). What is left out are other devices and file formats, tests, and what only compilers and type checkers read.
LEFT_OUT = (
    "openvino/libs/libopenvino_intel_[gn]pu_plugin.so",
    "openvino/libs/cache.json",  # the GPU plugin's
    "openvino/libs/libopenvino_auto*_plugin.so",
    "openvino/libs/libopenvino_hetero_plugin.so",
    *(f"openvino/libs/libopenvino_{name}_frontend.so*" for name in ("gguf", "jax", "paddle", "pytorch")),
    "openvino/libs/libopenvino_tensorflow*_frontend.so*",
    *(f"openvino/frontend/{name}" for name in ("jax", "paddle", "pytorch", "tensorflow")),
    "openvino/libs/libopenvino_c.so*",
    "openvino/cmake",
    "openvino/include",
    "openvino/tools",
    "onnxruntime/capi/libonnxruntime.so*",  # for programs in C: the Python module has it all inside
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "numpy/distutils",
    "numpy/f2py",
    "numpy/_core/include",
    "numpy/_core/lib",
    "numpy/**/tests",
    "av/include",
    "cv2/data",
    "**/*.h",
    "**/*.hpp",
    "**/*.pxd",
    "**/*.pyi",
    "**/*.pyx",
    "*.dist-info/direct_url.json",  # the folder that it was built in
)

# Neither a package of the user's nor the current folder may take the place of one of ours.
PROGRAM = f"""\
#!/bin/sh
unset PYTHONPATH PYTHONHOME
export PYTHONSAFEPATH=1
exec {PREFIX}/bin/python3 -m bgcam "$@"
"""

# dpkg has removed its own files by then.
POSTRM = f"""\
#!/bin/sh
set -e
case "$1" in
remove|purge)
    # What pip was asked to add to the environment is of no use without it.
    rm -rf {PREFIX}
    ;;
esac
"""

COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: bgcam
Comment: The Python packages below /opt/bgcam/lib are those of the Python Package Index, with their own licences: see
 the folders NAME.dist-info there.

Files: *
Copyright: the authors of bgcam
License: GPL-2+
 This program is free software; you can redistribute it and/or modify it under the terms of the GNU General Public
 License as published by the Free Software Foundation; either version 2 of the License, or (at your option) any later
 version.
 .
 On Debian systems, the text of version 2 is in /usr/share/common-licenses/GPL-2.
"""

DESCRIPTION = """\
replace what a webcam shows behind a person
 bgcam finds the person in each frame, replaces the room behind by a picture, a
 video, a colour or its own blur, and writes the result to a virtual camera for
 video calls. Whenever something fails, viewers see the background alone.
 .
 It runs on the processor, with Python packages of its own in /opt/bgcam. The
 virtual camera is the module v4l2loopback.
"""


def control(
    *, version: str, architecture: str, python: tuple[int, int], libraries: Iterable[str], size_kib: int
) -> str:
    """The control file. python: the version whose compiled packages are inside. libraries: names of Debian packages."""
    major, minor = python
    depends = [f"python3 (>= {major}.{minor}~)", f"python3 (<< {major}.{minor + 1})", *sorted(libraries)]
    fields = {
        "Package": NAME,
        "Version": version,
        "Architecture": architecture,
        "Maintainer": MAINTAINER,
        "Installed-Size": size_kib,
        "Depends": ", ".join(depends),
        "Recommends": "v4l2loopback-dkms",
        "Suggests": "python3-pip",
        "Section": "video",
        "Priority": "optional",
        "Description": DESCRIPTION.rstrip("\n"),
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items())


def user_unit() -> str:
    """The systemd user unit, which is off until the user enables it. Other options come from config.toml."""
    lines = unit_text(
        ["/usr/bin/bgcam", "--output", "virtual", "--on-demand"], backend="auto", web=False, namespaces=ON_DEMAND
    ).splitlines()
    lines[0] = (
        "# Of Debian's package bgcam: `systemctl --user enable --now bgcam`. One by `bgcam install-service` goes first."
    )
    return "\n".join(lines) + "\n"


def left_out(site: Path, patterns: Sequence[str] = LEFT_OUT) -> list[Path]:
    """The files and folders below site-packages that the package does without."""
    return sorted({path for pattern in patterns for path in site.glob(pattern)})


def pyvenv(*, version: str) -> str:
    """pyvenv.cfg of the environment in its final place. version: of Python, in full."""
    return dedent(f"""\
        home = /usr/bin
        include-system-site-packages = false
        version = {version}
        """)
