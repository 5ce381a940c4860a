"""All settings of a run, each declared once: the command line, the configuration and the control page are made of this.

The order is that of the help. A field is called as its long flag is, with underscores.
"""

# Without `from __future__ import annotations`: the options in the annotations are read at run time.

from typing import Annotated

import msgspec

from bgcam.realtime.look import FRAMES, KEYS, PLACES, ROOMS, SMALLEST_SHARE, VIEWS
from bgcam.realtime.settings import values
from bgcam.realtime.settings.option import Option

INPUT = "input"
BACKGROUND = "background"
PICTURE = "picture"
OUTPUT = "output"
MODEL = "model and machine"
SAFETY = "safety"
HELP = "help"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for. `msgspec.structs.replace` makes a changed copy of values that were checked already."""

    camera: Annotated[
        str | None,
        Option(
            flags=("--camera", "-c"),
            help="index, /dev path or part of the name; default: the first camera that gives colour",
            about="The camera, by its index, its /dev path or a part of its name.",
            group=INPUT,
            metavar="X",
            hot=True,
            exclusive="source",
        ),
    ] = None
    input: Annotated[
        tuple[str, ...],
        Option(
            flags=("--input", "-i"),
            help="a video, picture, folder or URL instead of the camera, or the URL of a network camera; several "
            "pictures may be given: --input *.jpg",
            about="A video, pictures, a folder or an address to read instead of the camera.",
            group=INPUT,
            metavar="X",
            several=True,
            exclusive="source",
        ),
    ] = ()
    size: Annotated[
        tuple[int, int] | None,
        Option(
            flags=("--size",),
            help="the size to ask the camera for, such as 1280x720; an --input is scaled to it",
            about="The size of the picture, such as 1280x720.",
            group=INPUT,
            metavar="WxH",
            parse=values.size_wh,
            as_json=values.size_text,
        ),
    ] = None
    fit: Annotated[
        str | None,
        Option(
            flags=("--fit",),
            help="how an --input of another aspect ratio is fitted to --size: cover crops two sides, contain adds "
            "bars; default: cover",
            about="How an input of another aspect ratio is fitted to the size: cover crops it, contain adds bars.",
            group=INPUT,
            choices=values.FITS,
        ),
    ] = None
    fps: Annotated[
        float | None,
        Option(
            flags=("--fps",),
            help="frames per second to ask the camera for; an --input has frames dropped or repeated to match",
            about="How many frames per second to ask the camera for.",
            group=INPUT,
            metavar="N",
            parse=values.rate,
            maximum=values.MAX_FPS,
            unit="fps",
        ),
    ] = None
    mirror: Annotated[
        bool,
        Option(
            flags=("--mirror",),
            help="flip the camera's picture left to right",
            about="Flip the camera's picture left to right.",
            group=INPUT,
            hot=True,
        ),
    ] = False
    on_demand: Annotated[
        bool,
        Option(
            flags=("--on-demand",),
            help="release the camera while nobody watches the virtual camera, which meanwhile shows only the "
            "background, or grey if the background is the blurred room",
            about="Release the camera while nobody watches the virtual camera.",
            group=INPUT,
            hot=True,
        ),
    ] = False
    background: Annotated[
        str,
        Option(
            flags=("--background", "-b"),
            help="a picture, a video or GIF, a folder of pictures, blur[:1..10], a CSS colour (green, '#369', "
            "'rgb(0 128 0)'), camera:X (another camera, named as for --camera), none, transparent (for .png, .webm and "
            ".mov files and folders; a virtual camera gets --key-colour), last (the last one chosen during a call), or "
            "one shipped with bgcam (beach, office, ...; see `bgcam backgrounds`); default: blur",
            about="What is shown behind the person: a picture, a video, a folder, a colour, blur:1 to blur:10, another "
            "camera (camera:X), or one that comes with bgcam.",
            group=BACKGROUND,
            metavar="SPEC",
            hot=True,
        ),
    ] = "blur"
    background_fit: Annotated[
        str,
        Option(
            flags=("--background-fit",),
            help="how a background of another aspect ratio than the camera's is fitted: cover crops two sides, contain "
            "shows all of it between dark bars; default: auto, which is contain for a folder of pictures and behind a "
            "presenter, otherwise cover",
            about="How a background of another shape than the camera's is fitted: cover crops it, contain shows all of "
            "it, auto does that with slides and behind a presenter.",
            group=BACKGROUND,
            choices=values.BACKGROUND_FITS,
            hot=True,
        ),
    ] = values.BACKGROUND_FITS[0]
    slide_interval_s: Annotated[
        float,
        Option(
            flags=("--slide-interval-s",),
            help="how many seconds a folder of pictures shows each one; 0: until bgcam next or previous; default: 10",
            about="How long a folder of pictures shows each one; with 0, until you go on to the next.",
            group=BACKGROUND,
            metavar="N",
            parse=values.slide_interval,
            minimum=0,
            maximum=values.MAX_SLIDE_S,
            unit="s",
            hot=True,
        ),
    ] = 10.0
    crossfade_s: Annotated[
        float,
        Option(
            flags=("--crossfade-s",),
            help="how many seconds one background picture takes to turn into another; 0: at once; default: 0.3. Blur, "
            "none and cameras always change at once",
            about="How long one background picture takes to turn into another.",
            group=BACKGROUND,
            metavar="0..5",
            parse=values.crossfade,
            minimum=0,
            maximum=values.MAX_CROSSFADE_S,
            unit="s",
            hot=True,
        ),
    ] = 0.3
    key_colour: Annotated[
        str,
        Option(
            flags=("--key-colour",),
            help="what a virtual camera or web page gets for --background transparent, for OBS to key out; default: "
            "auto, which is #00b140 unless you wear it",
            about="The colour that stands for transparent on a virtual camera or web page, for OBS to key out; auto is "
            "#00b140 unless you wear it.",
            group=BACKGROUND,
            metavar="COLOUR",
            hot=True,
        ),
    ] = "auto"
    edge: Annotated[
        tuple[tuple[str, float], ...],
        Option(
            flags=("--edge",),
            help="shrink[:1..5], grow[:1..5] or sharp[:1..5]: move the person's edge in or out, or sharpen it; may be "
            "given several times",
            about="Move the person's edge in (shrink:1 to shrink:5) or out (grow:1 to grow:5), or sharpen it (sharp:1 "
            "to sharp:5).",
            group=PICTURE,
            metavar="SPEC",
            parse=values.edge_steps,
            as_json=values.edge_text,
            several=True,
            separator=",",
            hot=True,
        ),
    ] = ()
    key: Annotated[
        str,
        Option(
            flags=("--key",),
            help="green or blue: a real screen of that colour is behind the person, and sharpens the matte's edge; "
            "default: off",
            about="The colour of a real screen behind the person, which makes the edge finer: green, blue or off.",
            group=PICTURE,
            choices=KEYS,
            hot=True,
        ),
    ] = KEYS[0]
    light_wrap: Annotated[
        float,
        Option(
            flags=("--light-wrap",),
            help="let the background's light spill over the person's edge",
            about="How far the background's light spills over the person's edge.",
            group=PICTURE,
            metavar="0..10",
            parse=values.strength,
            minimum=0,
            maximum=values.MAX_STRENGTH,
            hot=True,
        ),
    ] = 0.0
    light_match: Annotated[
        float,
        Option(
            flags=("--light-match",),
            help="match the person's exposure and colour temperature to the background's",
            about="How far the person's exposure and colour temperature are matched to the background's.",
            group=PICTURE,
            metavar="0..10",
            parse=values.strength,
            minimum=0,
            maximum=values.MAX_STRENGTH,
            hot=True,
        ),
    ] = 0.0
    frame: Annotated[
        str,
        Option(
            flags=("--frame",),
            help="follow: keep the person centred by a smooth crop",
            about="The part of the picture to show: the whole, or a smooth crop that follows the person.",
            group=PICTURE,
            choices=FRAMES,
            hot=True,
        ),
    ] = FRAMES[0]
    presenter: Annotated[
        str,
        Option(
            flags=("--presenter",),
            help=f"show the person small in front of the background: {', '.join(PLACES)}, or X,Y, the middle of the "
            "small picture as shares of the frame, such as 0.8,0.7; off: at full size. It needs a background that is "
            "not the room",
            about="Show the person small in front of the background, and where: a corner, a side, or X,Y.",
            group=PICTURE,
            metavar="WHERE",
            choices=(values.OFF, *PLACES),
            others=True,
            parse=values.presenter_place,
            hot=True,
        ),
    ] = values.OFF
    presenter_size: Annotated[
        float,
        Option(
            flags=("--presenter-size",),
            help="how large the presenter is, in percent of the frame's width and height; default: 35%",
            about="How large the presenter is, in percent of the frame.",
            group=PICTURE,
            metavar="N%",
            parse=values.presenter_size,
            as_json=values.percent,
            minimum=100 * SMALLEST_SHARE,
            maximum=100,
            unit="%",
            hot=True,
        ),
    ] = 0.35
    empty_room: Annotated[
        str,
        Option(
            flags=("--empty-room",),
            help="when the room is learnt, to tell furniture from the person: auto, whenever nobody is in the picture; "
            "asked, only by bgcam learn-room; off, never; default: auto. No file of it is written",
            about="When the empty room is learnt, to tell furniture from the person: whenever nobody is there, when "
            "asked, or never.",
            group=PICTURE,
            choices=ROOMS,
            hot=True,
        ),
    ] = ROOMS[0]
    view: Annotated[
        str,
        Option(
            flags=("--view",),
            help="what to show; default: composite; side-by-side shows the camera's picture too, and so the room",
            about="What the outputs show; side-by-side shows the camera's picture too, and so the room.",
            group=PICTURE,
            choices=VIEWS,
        ),
    ] = VIEWS[0]
    output: Annotated[
        tuple[str, ...],
        Option(
            flags=("--output", "-o"),
            help="virtual[:DEVICE], web[:[ADDRESS:]PORT], a .mp4, .mkv, .webm or .mov file, a picture or folder, or "
            "null; may be given several times; default: the virtual camera, or the web page if there is none",
            about="Where the picture goes: the virtual camera, a web page, files.",
            group=OUTPUT,
            metavar="X",
            several=True,
        ),
    ] = ()
    allow_remote: Annotated[
        bool,
        Option(
            flags=("--allow-remote",),
            help="serve the web page at an address that other machines can reach",
            about="Let other machines reach the web page.",
            group=OUTPUT,
        ),
    ] = False
    overwrite: Annotated[
        bool,
        Option(
            flags=("--overwrite",),
            help="replace existing files; otherwise bgcam asks on a terminal, and refuses elsewhere",
            about="Replace existing files without asking.",
            group=OUTPUT,
        ),
    ] = False
    no_audio: Annotated[
        bool,
        Option(
            flags=("--no-audio",),
            help="leave out the sound of an --input video",
            about="Leave out the sound of an input video.",
            group=OUTPUT,
        ),
    ] = False
    model: Annotated[
        str,
        Option(
            flags=("--model",),
            help="a shipped model or .onnx file; default: auto, the best one that leaves three quarters of the "
            "machine free, on the backend that is fastest here",
            about="The model that finds the person: auto, one that comes with bgcam, or an .onnx file.",
            group=MODEL,
            metavar="NAME|PATH",
            hot=True,
        ),
    ] = "auto"
    backend: Annotated[
        str,
        Option(
            flags=("--backend",),
            help="auto, openvino, openvino-fp32, onnxruntime, onnxruntime-fp32, tensorrt, tensorrt-rtx or torch; "
            "default: auto, which prints its choice",
            about="What runs the model: auto, openvino, openvino-fp32, onnxruntime, onnxruntime-fp32, tensorrt, "
            "tensorrt-rtx or torch.",
            group=MODEL,
            metavar="NAME",
        ),
    ] = "auto"
    threads: Annotated[
        int,
        Option(
            flags=("--threads",),
            help="threads for the model; default: a quarter of the processors for a camera, for a file, as many as "
            "make it faster",
            about="How many threads the model may use; 0 leaves it to bgcam.",
            group=MODEL,
            metavar="N",
            parse=values.thread_count,
            minimum=0,
            maximum=values.MAX_THREADS,
        ),
    ] = 0
    far: Annotated[
        bool,
        Option(
            flags=("--far",),
            help="look again, closer up, when nobody is found: it finds people smaller than half the frame's height, "
            "and mistakes a chair for a person more often",
            about="Look again, closer up, when nobody is found, for people far from the camera.",
            group=MODEL,
            hot=True,
        ),
    ] = False
    matte_rate: Annotated[
        str,
        Option(
            flags=("--matte-rate",),
            help="half: the model runs on every other frame, and the frames between get its matte moved along with the "
            "person, where the motion is slow and clear; not on a GPU that draws whole frames; default: full",
            about="Run the model on every frame (full), or on every other one where the motion allows it (half).",
            group=MODEL,
            choices=values.MATTE_RATES,
            hot=True,
        ),
    ] = values.FULL
    matte_crop: Annotated[
        str,
        Option(
            flags=("--matte-crop",),
            help="on: the model sees the part of the camera's picture where you are, so that it finds more of you "
            "where you fill less than about half of its height; whoever comes in elsewhere is seen up to eight "
            "frames later; not with --far, nor on a GPU that draws whole frames; off: it always sees the whole "
            "picture; default: on",
            about="Show the model the part of the picture where you are (on), or always all of it (off).",
            group=MODEL,
            choices=values.MATTE_CROPS,
        ),
    ] = values.ON
    max_cpu: Annotated[
        float | None,
        Option(
            flags=("--max-cpu",),
            help="how much of the machine's processor bgcam may use, such as 25%: it processes fewer of the camera's "
            "frames, with a smaller model, to stay below; the status line shows the result",
            about="How much of the machine's processor bgcam may use.",
            group=MODEL,
            metavar="N%",
            parse=values.cpu_share,
            as_json=values.percent,
            minimum=1,
            maximum=100,
            unit="%",
        ),
    ] = None
    instance: Annotated[
        str,
        Option(
            flags=("--instance",),
            help="a name, to run a second bgcam beside the first: bgcam set --instance NAME ...; default: default",
            about="The name by which commands reach this bgcam, where several run.",
            group=MODEL,
            metavar="NAME",
            parse=values.instance_name,
        ),
    ] = "default"
    trace: Annotated[
        str | None,
        Option(
            flags=("--trace",),
            help="write where the run's time goes to a .json file, which Perfetto (ui.perfetto.dev) and "
            "chrome://tracing open",
            about="A .json file that gets a trace of where the run's time goes.",
            group=MODEL,
            metavar="FILE",
            parse=values.trace_file,
        ),
    ] = None
    watchdog_ms: Annotated[
        float,
        Option(
            flags=("--watchdog-ms",),
            help="after this many milliseconds without a new picture, a virtual camera or web page shows the "
            "placeholder, which is only the background; default: 500. The key p, or SIGUSR1, shows it at once; p "
            "again, or SIGUSR2, shows you again",
            about="How long the last picture may stay before the placeholder, which is only the background, is shown.",
            group=SAFETY,
            metavar="N",
            parse=values.watchdog,
            minimum=values.WATCHDOG_MS[0],
            maximum=values.WATCHDOG_MS[1],
            unit="ms",
        ),
    ] = 500.0
    debug: Annotated[
        bool,
        Option(
            flags=("--debug",),
            help="show the traceback of an unexpected error",
            about="Show the traceback of an unexpected error.",
            group=HELP,
        ),
    ] = False
