"""The loop: losses by hand, a run that learns, exact resumption, two processes that equal one."""

import math
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from training_set import write_training_set

from bgcam.train import checkpoint as ckpt
from bgcam.train import losses
from bgcam.train.__main__ import main as train_main
from bgcam.train.data import Backgrounds, PhotoSet, Sampler
from bgcam.train.fit import Run, check_same_recipe, fit
from bgcam.train.network import FAST, MatteNet, NetworkConfig
from bgcam.train.pairs import find_pairs
from bgcam.train.recipes import BEST, FINISH, changed, paper
from bgcam.train.rounding import is_rounded
from bgcam.train.validate import make_validator

TINY = NetworkConfig(width=0.125, decoder=(16, 16, 8, 8, 8))


def test_losses_by_hand() -> None:
    alpha = torch.tensor([[[[0.5, 1.0]]]])
    truth = torch.tensor([[[[1.0, 1.0]]]])
    assert losses.l1(alpha, truth).item() == pytest.approx(0.25)
    # 2 (0.5 + 1) / (0.25 + 1 + 2) = 12/13
    assert losses.soft_dice(alpha, truth, smooth=0).item() == pytest.approx(1 - 12 / 13)
    # two rows of it: each has one horizontal step, 0.5 against 0, and there is no vertical one
    rows = torch.cat([alpha, alpha], 2), torch.cat([truth, truth], 2)
    assert losses.gradient(*rows).item() == pytest.approx(0.5)
    # a checkerboard is all in the first level: each pixel is 1 from the mean of its 2x2, and nothing is left
    checks = torch.tensor([[[[1.0, -1.0], [-1.0, 1.0]]]])
    assert losses.laplacian(checks, torch.zeros_like(checks), levels=3).item() == pytest.approx(1 / 3)
    # an error that is the same all over is no edge
    assert losses.laplacian(torch.full((1, 1, 8, 8), 0.25), torch.zeros(1, 1, 8, 8)).item() == 0
    assert losses.cross_entropy(torch.zeros(1, 1, 1, 2), truth).item() == pytest.approx(math.log(2))
    empty = torch.zeros(1, 1, 2, 2)
    assert losses.soft_dice(empty, empty).item() == 0
    error = torch.zeros(4, 1, 5, 5)
    error[0] = error[1] = 0.3  # twins that err alike are steady; these two differ by 0.2 all over
    error[2] = 0.2
    assert losses.steadiness(error, torch.zeros(4, 1, 5, 5))[0].item() == 0
    assert losses.steadiness(error, torch.zeros(4, 1, 5, 5))[1].item() > 0.1
    total = losses.combined(torch.zeros(1, 1, 2, 2), empty, {"l1": 2.0, "bce": 1.0})
    assert total.item() == pytest.approx(2 * 0.5 + math.log(2))


def test_the_papers_recipe_is_the_papers() -> None:
    recipe = paper(2700)
    assert (recipe.optimizer, recipe.lr, recipe.batch, recipe.losses) == ("adam", 0.005, 128, {"l1": 1.0})
    assert recipe.steps == 40 * 22
    assert recipe.validation_share == 0.2
    assert {recipe.lr_factor(s) for s in range(recipe.steps)} == {1.0}


def test_the_rate_warms_up_and_falls_and_sizes_grow() -> None:
    recipe = changed(BEST, steps=1000)
    factors = [recipe.lr_factor(s) for s in range(1000)]
    assert factors[0] == pytest.approx(1 / BEST.warmup_steps)
    assert max(factors) == pytest.approx(1.0)
    assert factors[-1] == pytest.approx(recipe.final_lr, rel=0.01)
    sizes = recipe.sizes_of_steps()
    assert len(sizes) == 1000
    assert sizes[0][0] == (256, 192)
    assert sizes[-1] == ((320, 240), (240, 320), (320, 192))


def tiny_run(
    root: Path, out: str, steps: int, stop_after: int | None = None, *, rounded: bool = False
) -> ckpt.Checkpoint:
    """A run on generated pictures; stop_after: cut it there, as if its minutes were up. rounded: its weights are."""
    data = root / "data"
    if not data.exists():
        write_training_set(data, 8)
    torch.manual_seed(0)
    recipe = changed(BEST, steps=steps, batch=4, sizes_wh=((1.0, ((64, 48),)),), warmup_steps=2)
    recipe = changed(recipe, rounded_weights=rounded)
    sampler = Sampler(PhotoSet(find_pairs(data)[0]), Backgrounds(data / "images"), seed=0)
    if stop_after is not None:
        full = recipe.sizes_of_steps
        object.__setattr__(recipe, "sizes_of_steps", lambda: full()[:stop_after])
    return fit(MatteNet(TINY), sampler, recipe, Run(root / out, device="cpu", workers=0))


@pytest.mark.parametrize("rounded", [False, True])
def test_a_cut_run_equals_an_uncut_one(tmp_path, rounded: bool) -> None:
    # Several threads add up in whatever order they come, and other tests may have asked for several.
    torch.set_num_threads(1)
    whole = tiny_run(tmp_path, "whole", 6, rounded=rounded)
    tiny_run(tmp_path, "cut", 6, stop_after=3, rounded=rounded)
    assert ckpt.load(tmp_path / "cut" / "last.pt").step == 3
    assert is_rounded(ckpt.build_network(ckpt.load(tmp_path / "cut" / "last.pt"))) == rounded
    resumed = tiny_run(tmp_path, "cut", 6, rounded=rounded)
    assert resumed.step == whole.step == 6
    for key, value in whole.weights.items():
        torch.testing.assert_close(resumed.weights[key], value, rtol=0, atol=0)
    assert (tmp_path / "whole" / "tensorboard").is_dir()
    with pytest.raises(ValueError, match=r"began with warmup_steps 2, asked is 3; give another --out"):
        check_same_recipe(Path("last.pt"), resumed.recipe, {**resumed.recipe, "warmup_steps": 3, "steps": 9})


def test_training_learns(tmp_path, capsys) -> None:
    state = tiny_run(tmp_path, "run", 60)
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("step"))
    assert "images/s" in line
    assert "min left" in line
    torch.manual_seed(0)
    validate = make_validator(PhotoSet(find_pairs(tmp_path / "data")[0]))
    before, after = validate(MatteNet(TINY).eval()), validate(ckpt.build_network(state))
    assert after["val_l1"] < 0.6 * before["val_l1"]
    assert after["val_dice"] > before["val_dice"]


SCRIPT = textwrap.dedent(
    """
    import sys
    from pathlib import Path

    import torch
    from lightning_fabric import Fabric
    from bgcam.train.data import Backgrounds, PhotoSet, Sampler
    from bgcam.train.fit import Run, check_same_recipe, fit
    from bgcam.train.network import FAST, MatteNet, NetworkConfig
    from bgcam.train.pairs import find_pairs
    from bgcam.train.recipes import BEST, changed

    data, out, devices = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    fabric = Fabric(accelerator="cpu", devices=devices, precision="32-true")
    fabric.launch()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    # Batch norm sees its own process's half of the batch; frozen, the two runs do the same arithmetic.
    recipe = changed(BEST, steps=3, batch=4, sizes_wh=((1.0, ((64, 48),)),))
    network = MatteNet(NetworkConfig(width=0.125, decoder=(16, 16, 8, 8, 8)))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval().train = lambda mode=True, module=module: module
    sampler = Sampler(PhotoSet(find_pairs(data)[0]), Backgrounds(None), seed=0)
    fit(network, sampler, recipe, Run(out, workers=0), fabric=fabric)
    """
)


TORCHRUN = SCRIPT.replace(
    """fabric = Fabric(accelerator="cpu", devices=devices, precision="32-true")
fabric.launch()
""",
    """from bgcam.train.fit import make_fabric
fabric = make_fabric(Run(out, device="cpu", precision="fp32"))
assert fabric.world_size == devices, fabric.world_size
""",
).replace("Run(out, workers=0)", "Run(out, workers=0, minutes=60)")


def trained(folder: Path, text: str, *launcher: str, devices: int) -> dict[str, torch.Tensor]:
    """The weights of a run of SCRIPT, or of a text like it."""
    script = folder / "run.py"
    script.write_text(text)
    if not (folder / "data").exists():
        write_training_set(folder / "data", 8)
    command = [sys.executable, *launcher, str(script), str(folder / "data"), str(folder / "out"), str(devices)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return ckpt.load(folder / "out" / "last.pt").network


@pytest.fixture(scope="module")
def one_process(tmp_path_factory) -> dict[str, torch.Tensor]:
    """The weights of SCRIPT, run by the tests' own process."""
    folder = tmp_path_factory.mktemp("one")
    write_training_set(folder / "data", 8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["run.py", str(folder / "data"), str(folder / "out"), "1"])
        exec(compile(SCRIPT, "run.py", "exec"), {"__name__": "__main__"})
    return ckpt.load(folder / "out" / "last.pt").network


TORCHRUN_TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.mark.parametrize("launcher", [(), TORCHRUN_TWO], ids=["fabric", "torchrun"])
def test_two_processes_give_what_one_gives(tmp_path, one_process, launcher) -> None:
    two = trained(tmp_path, TORCHRUN if launcher else SCRIPT, *launcher, devices=2)
    for key, value in one_process.items():
        torch.testing.assert_close(two[key], value, rtol=1e-3, atol=1e-4)


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path) -> None:
    write_training_set(tmp_path / "data", 8)
    recipe = changed(BEST, steps=1, batch=4, sizes_wh=((1.0, ((64, 48),)),))
    sampler = Sampler(PhotoSet(find_pairs(tmp_path / "data")[0]), Backgrounds(None), seed=0)

    class Three:
        """A fabric of three processes, as far as is looked."""

        world_size, global_rank, device = 3, 1, torch.device("cpu")

        def setup(self, network, optimizer):
            network.mark_forward_method = lambda name: None
            return network, optimizer

    with pytest.raises(ValueError, match="a batch of 4 cannot be shared by 3 processes; give a multiple: --batch 3"):
        fit(MatteNet(TINY), sampler, recipe, Run(tmp_path / "run", workers=0), fabric=Three())


def test_an_encoder_without_a_rate_stays_as_it_is(tmp_path) -> None:
    write_training_set(tmp_path / "data", 8)
    network = MatteNet(TINY)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    recipe = changed(BEST, steps=3, batch=4, sizes_wh=((1.0, ((64, 48),)),), warmup_steps=1, encoder_lr=0.0)
    sampler = Sampler(PhotoSet(find_pairs(tmp_path / "data")[0]), Backgrounds(None), seed=0)
    after = fit(network, sampler, recipe, Run(tmp_path / "run", device="cpu", workers=0)).network
    for key, value in before.items():
        same = torch.equal(after[key], value)
        assert same == key.startswith("encoder.") or key.endswith("num_batches_tracked"), key


@pytest.mark.parametrize("config", [TINY, FAST], ids=["resnet50", "efficientnet_lite0"])
def test_layers_up_to_the_frozen_stride_stay_as_they_are(config, tmp_path) -> None:
    write_training_set(tmp_path / "data", 8)
    network = MatteNet(config)
    picture = torch.rand(1, 3, 64, 64)
    before = [f.detach().clone() for f in network.eval().encoder(picture)]
    recipe = changed(BEST, steps=2, batch=4, sizes_wh=((1.0, ((64, 48),)),), warmup_steps=1, frozen_stride=8)
    sampler = Sampler(PhotoSet(find_pairs(tmp_path / "data")[0]), Backgrounds(None), seed=0)
    state = fit(network, sampler, recipe, Run(tmp_path / "run", device="cpu", workers=0, precision="fp32"))
    trained = MatteNet(config).eval()
    trained.load_state_dict(state.network)
    same = [torch.equal(a, b) for a, b in zip(before, trained.encoder(picture), strict=True)]
    assert same == [True, True, True, False, False]


def test_frozen_depthwise_weights_stay_and_the_others_learn(tmp_path) -> None:
    write_training_set(tmp_path / "data", 8)
    network = MatteNet(FAST)
    before = {k: v.detach().clone() for k, v in network.state_dict().items()}
    recipe = changed(
        BEST, steps=2, batch=4, sizes_wh=((1.0, ((64, 48),)),), warmup_steps=1, frozen_depthwise=True, encoder_lr=1e-3
    )
    sampler = Sampler(PhotoSet(find_pairs(tmp_path / "data")[0]), Backgrounds(None), seed=0)
    state = fit(network, sampler, recipe, Run(tmp_path / "run", device="cpu", workers=0, precision="fp32"))
    convolutions = {k: v for k, v in before.items() if v.ndim == 4 and k.startswith("encoder.")}
    assert {torch.equal(state.network[k], v) for k, v in convolutions.items() if v.shape[1] == 1} == {True}
    assert {torch.equal(state.network[k], v) for k, v in convolutions.items() if v.shape[1] > 1} == {False}


def test_a_time_budget_ends_the_run_at_its_lowest_rate(tmp_path, monkeypatch) -> None:
    write_training_set(tmp_path / "data", 8)
    shares = iter([0.0, 0.0, 0.5, 0.5, 0.9999, 1.0])  # asked twice a step
    monkeypatch.setattr("bgcam.train.fit.spent", lambda run, started_s: next(shares))
    recipe = changed(FINISH, steps=10**6, batch=4, sizes_wh=((1.0, ((64, 48),)),), warmup_steps=1)
    sampler = Sampler(PhotoSet(find_pairs(tmp_path / "data")[0]), Backgrounds(None), seed=0, twins=True)
    state = fit(MatteNet(TINY), sampler, recipe, Run(tmp_path / "run", device="cpu", workers=0, budget_minutes=9))
    assert state.step == 3
    assert state.optimizer["param_groups"][0]["lr"] < 0.01 * recipe.encoder_lr


@pytest.mark.parametrize(("every_s", "times"), [(0.0, 4), (3600.0, 1)])
def test_validation_may_be_rarer_than_checkpoints(tmp_path, monkeypatch, every_s: float, times: int) -> None:
    write_training_set(tmp_path / "data", 8)
    saved: list[int] = []
    monkeypatch.setattr(ckpt, "save", lambda path, state: saved.append(state.step))
    recipe = changed(BEST, steps=3, batch=4, sizes_wh=((1.0, ((64, 48),)),), warmup_steps=1)
    sampler = Sampler(PhotoSet(find_pairs(tmp_path / "data")[0]), Backgrounds(None), seed=0)
    run = Run(tmp_path / "run", device="cpu", workers=0, save_every_s=0.0, validate_every_s=every_s)
    state = fit(MatteNet(TINY), sampler, recipe, run, validate=lambda network: {"val_l1": 0.5})
    assert saved == [1, 2, 3, 3]
    assert len(state.history) == times


def test_a_teacher_is_learnt_from(tmp_path) -> None:
    write_training_set(tmp_path / "data", 8)
    torch.manual_seed(0)
    recipe = changed(BEST, steps=1, batch=4, sizes_wh=((1.0, ((64, 48),)),))
    sampler = Sampler(PhotoSet(find_pairs(tmp_path / "data")[0]), Backgrounds(None), seed=0)
    start, weights = MatteNet(TINY).state_dict(), []
    for name, teacher in (("alone", None), ("taught", MatteNet(TINY))):
        network = MatteNet(TINY)
        network.load_state_dict(start)
        weights.append(
            fit(network, sampler, recipe, Run(tmp_path / name, device="cpu", workers=0), teacher=teacher).network
        )
    assert not torch.equal(weights[0]["head.weight"], weights[1]["head.weight"])


@pytest.mark.parametrize("text", ["-1", "0", "inf", "soon"])
def test_a_run_gets_time_above_none(text: str, capsys) -> None:
    with pytest.raises(SystemExit):
        train_main(["fit", "data", "--out", "run", "--budget-minutes", text])
    assert "give minutes above 0" in capsys.readouterr().err
