"""What there is to train on, and checkpoints that others made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import segmentation_models_pytorch as smp
import torch
from calling import Command
from PIL import Image

from segcore.models import architectures, build, save_model
from segcore.models.encoder_table import encoder_names


def test_the_list_tells_every_architecture_with_options_encoders_and_licence(
    maskwright: Command,
) -> None:
    rows = {row["name"]: row for row in maskwright("models", "--json").json["architectures"]}
    assert set(rows) == set(architectures())
    for name, row in rows.items():
        assert row["title"]
        assert row["paper"].startswith("https://")
        assert row["tasks"]
        assert row["licence"]
        assert row["encoders"] == len(encoder_names(name))
        assert [o["name"] for o in row["options"]] == [
            o.name for o in architectures()[name].options
        ]
    assert rows["fpn"]["encoders"] > rows["deeplabv3"]["encoders"] > rows["dpt"]["encoders"] > 0


def test_encoders_are_listed_for_one_architecture(maskwright: Command) -> None:
    all_of_them = maskwright("models", "fpn", "--encoders").out
    assert "densenet121" in all_of_them
    assert "research and evaluation only" in next(
        line for line in all_of_them.splitlines() if line.startswith("mit_b0")
    )
    dilated = {row["name"] for row in maskwright("models", "pspnet", "--encoders", "--json").json}
    assert "resnet50" in dilated
    assert "densenet121" not in dilated


def test_an_architecture_says_its_idea_and_choices(maskwright: Command) -> None:
    said = maskwright("models", "pspnet").out
    assert "stage 4" in said
    assert "one of 8, 16, 32" in said
    assert architectures()["pspnet"].idea in said


@pytest.fixture
def project(maskwright: Command, tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (70, 50), (200, 90, 40)).save(tmp_path / "images" / "a.png")
    made = maskwright("new", tmp_path / "p", "--images", tmp_path / "images", "--classes", "binary")
    assert made.code == 0, made.err
    return tmp_path / "p.maskwright"


def test_an_imported_checkpoint_predicts_in_the_project(
    maskwright: Command, project: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = smp.FPN("tu-test_resnet", encoder_weights=None, classes=2).eval()
    model.save_pretrained(tmp_path / "mine")
    said = maskwright(
        "models", "--import", tmp_path / "mine", "--project", project, "--classes", "binary"
    )
    assert said.code == 0, said.err
    assert "fpn with encoder tu-test_resnet" in said.out
    assert "OpenVINO float32 agrees. Another class at 0.00% of the pixels" in said.out
    told = maskwright("models", "mine", "--project", project, "--json").json["engines"]
    assert told["openvino-f32"]["against"] == "torch", "the project has no truth"
    assert told["openvino-f32"]["items"] == 1
    assert maskwright("predict", project, "--model", "mine").code == 0
    kept = list((project / "models" / "mine" / "engine").iterdir())
    assert len(kept) == 1, "converted once, when it was compared"
    assert maskwright("models", "mine", "--project", project).code == 0
    again = maskwright("models", "--import", tmp_path / "mine", "--project", project)
    assert again.code == 1
    assert 'model named "mine" already' in again.err


def test_a_model_is_compared_again_when_asked(
    maskwright: Command, project: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = build("enet", classes=2)
    folder = tmp_path / "enet"
    save_model(model, folder)
    said = maskwright("models", folder).out
    assert "Computed   by torch float32" in said
    said = maskwright("models", folder, "--project", project, "--check").out
    assert "OpenVINO float32 is not used. OpenVINO cannot compute the network" in said
    assert maskwright("models", folder, "--check").code == 2
    refused = maskwright("models", "nuclei", "--project", project, "--check")
    assert refused.code == 1
    assert "comes with the program" in refused.err


@pytest.mark.parametrize("name", ["nuclei", "retina"])
def test_the_models_that_come_along_say_which_engines_agree(maskwright: Command, name: str) -> None:
    for row in maskwright("models", name, "--json").json["engines"].values():
        assert row["items"] >= 6
        assert row["where"] == "held-out pictures"
        assert row["against"] == "truth"
    assert "OpenVINO float32 agrees" in maskwright("models", name).out


def test_weights_alone_are_imported_with_arguments_from_options(
    maskwright: Command, project: Path, tmp_path: Path
) -> None:
    model = smp.Linknet("tu-test_resnet", encoder_weights=None, classes=3, encoder_depth=4)
    torch.save(model.state_dict(), tmp_path / "net.pth")
    call = ["models", "--import", tmp_path / "net.pth", "--project", project, "--json"]
    assert "--arch" in maskwright(*call).err
    told = [
        *call, "--arch", "Linknet", "--encoder", "tu-test_resnet", "--name", "light",
        "--argument", "classes=3", "--argument", "encoder_depth=4", "--classes", "a, b,c",
    ]  # fmt: skip
    row = maskwright(*told).json
    assert row["name"] == "light"
    assert [c["name"] for c in row["classes"]] == ["a", "b", "c"]
    assert json.loads((project / "models" / "light" / "model.json").read_text())["options"] == {
        "encoder_depth": 4,
        "norm": "batchnorm",
    }


@pytest.mark.parametrize("name", ["../away", "a/b", ".."])
def test_an_import_stays_inside_the_project(
    maskwright: Command, project: Path, tmp_path: Path, name: str
) -> None:
    smp.FPN("tu-test_resnet", encoder_weights=None).save_pretrained(tmp_path / "mine")
    said = maskwright("models", "--import", tmp_path / "mine", "--project", project, "--name", name)
    assert said.code == 1
    assert "no name for a model" in said.err


def test_an_import_without_a_project_is_wrong_use(maskwright: Command, tmp_path: Path) -> None:
    assert maskwright("models", "--import", tmp_path).code == 2
