"""The table of architectures and what `build` makes of it."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from segcore.base import CLASS_PRESETS, MaskwrightError
from segcore.models import ModelSpec, SegModel, architectures, build, build_from_spec, register


def test_listing_the_architectures_loads_no_torch() -> None:
    code = (
        "import sys, segcore.models, segcore.train, segcore.infer\n"
        "from segcore.models import architectures, ModelSpec\n"
        "from segcore.infer import map_classes\n"
        "import segcore.train.runs, segcore.train.recipe\n"
        "assert {'unet', 'fpn'} <= set(architectures())\n"
        "heavy = {'torch', 'torchvision', 'timm', 'segmentation_models_pytorch', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_thread_that_asks_while_the_table_is_being_filled_waits_for_the_whole_of_it() -> None:
    code = (
        "import importlib, threading\n"
        "from segcore.models import registry\n"
        "begun, asked = threading.Event(), threading.Event()\n"
        "whole = importlib.import_module\n"
        "def slow(name):\n"
        "    begun.set()\n"
        "    asked.wait(0.01)\n"  # time for the second thread, which must not get through
        "    return whole(name)\n"
        "registry.importlib.import_module = slow\n"
        "first = threading.Thread(target=registry.architectures)\n"
        "first.start()\n"
        "begun.wait()\n"
        "found = len(registry.architectures())\n"
        "asked.set()\n"
        "first.join()\n"
        "print(found == len(registry._FAMILY_MODULES), registry.architecture('fpn').name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "fpn"]


def test_a_family_that_does_not_load_is_told_of_each_time_it_is_asked_for() -> None:
    code = (
        "from segcore.models import registry\n"
        "registry._FAMILY_MODULES += ('segcore.models.not_there',)\n"
        "for _ in range(2):\n"
        "    try:\n"
        "        registry.architectures()\n"
        "    except ModuleNotFoundError as error:\n"
        "        print(error.name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["segcore.models.not_there"] * 2


def test_a_second_architecture_of_one_name_is_an_error() -> None:
    assert "unet" in architectures()
    with pytest.raises(ValueError, match="unet"):

        @register("unet", paper="", year=2015, tasks=("semantic",))
        def build_again(spec: ModelSpec) -> torch.nn.Module:
            raise AssertionError


def test_every_architecture_names_its_paper_year_and_options() -> None:
    for row in architectures().values():
        assert row.paper.startswith("https://")
        assert 2012 <= row.year <= 2026
        assert row.tasks
        assert all(option.help for option in row.options)


def test_what_an_architecture_does_may_follow_from_its_options() -> None:
    row = architectures()["pointrend"]
    assert row.tasks == ("semantic", "instances")
    assert row.tasks_with() == ("semantic",)
    assert row.tasks_with({"base": "mask_rcnn"}) == ("instances",)
    with pytest.raises(MaskwrightError, match="nonet"):
        row.tasks_with({"base": "nonet"})
    for other in architectures().values():
        assert set(other.tasks_with()) <= set(other.tasks)
        assert other is row or other.tasks_with() == other.tasks


@pytest.mark.parametrize("name", ["unet", "fpn"])
@pytest.mark.parametrize("size", [(64, 64), (33, 70), (1, 1)])
def test_logits_have_the_size_of_any_input(name: str, size: tuple[int, int]) -> None:
    model = build(name, classes=3, encoder="resnet18").eval()
    with torch.no_grad():
        output = model(torch.randn(2, 3, *size))
    assert output.logits.shape == (2, 3, *size)
    assert output.instances is None


@pytest.mark.parametrize("name", ["unet", "fpn"])
def test_a_batch_of_one_small_picture_trains(name: str) -> None:
    model = build(name, classes=["a", "b"])
    model.train()
    model(torch.randn(1, 3, 20, 20)).logits.sum().backward()
    assert all(p.grad is not None for p in model.encoder_parameters()[:1])


def test_classes_may_be_a_number_names_or_a_class_set() -> None:
    assert build("fpn", classes=2, encoder="resnet18").spec.classes.names == ["class 0", "class 1"]
    camvid = CLASS_PRESETS["camvid"]
    model = build("fpn", classes=camvid, encoder="resnet18")
    assert model.spec.outputs == 11, "void is no output"
    assert model.head.weight.shape[0] == 11


def test_options_are_kept_in_the_spec_and_rebuild_the_same_network() -> None:
    model = build("fpn", classes=2, encoder="resnet18", channels=4, pyramid_channels=64)
    assert model.spec.options["pyramid_channels"] == 64
    assert model.spec.options["dropout"] == 0.2
    again = build_from_spec(ModelSpec.from_json(model.spec.to_json()))
    shapes = {k: v.shape for k, v in model.state_dict().items()}
    assert shapes == {k: v.shape for k, v in again.state_dict().items()}


def test_the_default_encoder_is_the_familys() -> None:
    assert build("unet", classes=2).spec.encoder == "tu-tf_efficientnet_lite0"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: build("nonet", classes=2), "nonet"),
        (lambda: build("fpn", classes=2, encoder="resnet1800"), "resnet1800"),
        (lambda: build("fpn", classes=2, colour="red"), "colour"),
        (lambda: build("fpn", classes=0), "class"),
    ],
)
def test_what_cannot_be_built_is_said_in_a_sentence(call: object, words: str) -> None:
    with pytest.raises(MaskwrightError, match=words) as caught:
        call()  # type: ignore[operator]
    assert caught.value.hint


def test_another_number_of_channels_is_refused_with_a_remedy() -> None:
    model: SegModel = build("fpn", classes=2, encoder="resnet18")
    with pytest.raises(MaskwrightError, match="1 channels and the model takes 3"):
        model(torch.randn(1, 1, 64, 64))
