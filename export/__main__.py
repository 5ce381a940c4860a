"""`python -m bgcam.export CHECKPOINT -o models/NAME.onnx --data DIR`: one file for every backend, compared first.

`python -m bgcam.export MODEL --to tensorrt|tensorrt-rtx -o NAME.engine`: an engine, from such a file or a checkpoint.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgcam.export.checksums import write_checksums
from bgcam.export.compare import ExportRefused, Run
from bgcam.packages import lacking, missing
from bgcam.realtime.errors import BgcamError
from bgcam.realtime.model.find import CHECKSUMS
from bgcam.realtime.settings.values import size_wh

# The backends that a new file is compared on; engines are compared when they are built.
COMPARED = ("openvino", "onnxruntime", "torch")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    ap = argparse.ArgumentParser(
        prog="python -m bgcam.export",
        description="Export a checkpoint as ONNX with its spec inside. Writes nothing if the file differs too much.",
    )
    ap.add_argument(
        "checkpoint",
        type=Path,
        help=".pt of `bgcam.train fit` or a .safetensors weights file; for an engine also an .onnx file",
    )
    ap.add_argument("-o", "--output", type=Path, required=True, help="models/NAME.onnx, or NAME.engine")
    ap.add_argument("--to", choices=("onnx", "tensorrt", "tensorrt-rtx"), default="onnx")
    ap.add_argument("--precision", choices=("int8", "fp16", "fp32"), help="default: int8; fp16 for an engine")
    ap.add_argument("--size", type=size_wh, metavar="WxH", help="an engine's input size; default: the model's first")
    ap.add_argument(
        "--compute-capability",
        action="append",
        default=[],
        metavar="SM89",
        help="a GPU type to build a tensorrt-rtx engine for, without that GPU here; may be given several times; "
        "default: the GPU of this machine",
    )
    ap.add_argument(
        "--data",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="training folders: the training part calibrates INT8, the validation part checks the export",
    )
    ap.add_argument("--backgrounds", type=Path, help="photos without people, for calibration as in training")
    ap.add_argument("--calibrate", type=int, default=300, metavar="N", help="pictures for calibration (300)")
    ap.add_argument("--check", type=int, default=120, metavar="N", help="pictures for the comparison (120)")
    return ap


def export(args: argparse.Namespace) -> None:
    """Convert, compare on every backend that is installed, and only then put the file in place."""
    import torch

    from bgcam.export import compare as cmp
    from bgcam.export import pictures
    from bgcam.export.onnx_file import normalised, put_spec, spec_of, to_onnx
    from bgcam.train import checkpoint as ckpt

    checkpoint = ckpt.load(args.checkpoint)
    network = ckpt.build_network(checkpoint)

    def torch_run(bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            alpha: NDArray[np.float32] = network(torch.from_numpy(normalised(bgr[..., ::-1])))[0, 0].numpy()
        return alpha

    held = pictures.validation_pictures(args.data, args.check, checkpoint.config.sizes_wh)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.output.parent, prefix=".export-") as folder:
        candidate = Path(folder) / args.output.name

        def try_out(model: Any, precision: str) -> dict[str, cmp.Difference]:
            put_spec(model, spec_of(checkpoint, precision=precision, name=args.output.stem))
            candidate.write_bytes(model.SerializeToString())
            found = {}
            for name, run in runners(candidate):
                found[name] = cmp.compare(run, torch_run, held)
                print(f"{precision} on {name} against PyTorch: {found[name]}", flush=True)
            return found

        model = to_onnx(checkpoint)
        # OpenVINO may run in bfloat16 by itself; ONNX Runtime does not, so it tells whether the file is right.
        cmp.check_onnx(try_out(model, "fp32")["onnxruntime"])
        if args.precision == "int8":
            from bgcam.export.quantize import to_int8
            from bgcam.export.saturation import check_saturation
            from bgcam.train.rounding import is_rounded

            sizes_wh = checkpoint.config.sizes_wh
            seen = pictures.calibration_pictures(args.data, args.backgrounds, args.calibrate, sizes_wh)
            model = to_int8(model, seen, rounded=is_rounded(network))
            check_saturation(model)
            for difference in try_out(model, "int8").values():
                cmp.check_int8(difference)
        os.replace(candidate, args.output)
    if (args.output.parent / CHECKSUMS).exists():
        write_checksums(args.output.parent)
    print(f"{args.output}: {args.output.stat().st_size / 1e6:.1f} MB")


def to_engine(args: argparse.Namespace) -> None:
    """Build an engine of an ONNX file, or of a checkpoint by way of one."""
    from bgcam.export.engine import export_engine, onnx_of_checkpoint
    from bgcam.realtime.model.backends._engine_build import CURRENT

    with tempfile.TemporaryDirectory() as folder:
        is_onnx = args.checkpoint.suffix == ".onnx"
        model = args.checkpoint if is_onnx else onnx_of_checkpoint(args.checkpoint, Path(folder))
        export_engine(
            model,
            args.output,
            api_name=args.to,
            precision=args.precision,
            size_wh=args.size,
            compute_capabilities=tuple(args.compute_capability) or CURRENT,
        )


def needs_of(args: argparse.Namespace) -> dict[str, str]:
    """The packages that this call needs, and the extra of bgcam's that brings each."""
    if args.to != "onnx":
        own = {
            "tensorrt_rtx" if args.to == "tensorrt-rtx" else args.to: args.to,
            "onnx": args.to,
            "onnxruntime": "onnxruntime",
        }
        return own if args.checkpoint.suffix == ".onnx" else {"torch": "train", "onnxscript": "export", **own}
    needed = {"torch": "train", "safetensors": "train", "onnxruntime": "onnxruntime"}
    needed |= dict.fromkeys(("onnx", "onnxscript"), "export")
    return needed | ({"nncf": "export"} if args.precision == "int8" else {})


def runners(path: Path) -> Iterator[tuple[str, Run]]:
    """Each installed backend on a model file, at whatever size a picture has; and INT8 as it is meant."""
    from bgcam.realtime.errors import BackendError
    from bgcam.realtime.model.backends import load_backend
    from bgcam.realtime.model.spec import read_spec

    spec = read_spec(path)
    for name in COMPARED:
        loaded: dict[tuple[int, int], Any] = {}

        def run(bgr: NDArray[np.uint8], name: str = name, loaded: dict[tuple[int, int], Any] = loaded) -> Any:
            size_wh = (bgr.shape[1], bgr.shape[0])
            if size_wh not in loaded:
                loaded[size_wh], _ = load_backend(name, path, spec, size_wh)
            return loaded[size_wh].infer(bgr)

        try:
            run(np.zeros((192, 320, 3), np.uint8))
        except BackendError as error:
            if name == "onnxruntime":
                raise
            print(f"not compared on {name}: {error}")
            continue
        yield name, run
    if spec.precision == "int8":
        from bgcam.export.quantize import run_int8

        yield "any processor", run_int8(path)


def main(argv: list[str] | None = None) -> int:
    """Run; errors that people can mend are one line."""
    ap = parser()
    args = ap.parse_args(argv)
    args.precision = args.precision or ("int8" if args.to == "onnx" else "fp16")
    if args.to == "onnx" and (args.data is None or args.precision == "fp16"):
        ap.error("--data is needed" if args.data is None else "ONNX files are int8 or fp32")
    if line := lacking(needs_of(args)):
        print(f"bgcam.export: {line}", file=sys.stderr)
        return 1
    try:
        if args.to == "onnx":
            export(args)
        else:
            to_engine(args)
    except (ExportRefused, BgcamError, OSError, ValueError) as error:
        print(f"bgcam.export: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f"bgcam.export: {missing(error.name or '', extras='train,export,onnxruntime')}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
