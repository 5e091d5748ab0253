"""The table of encoders says what the installed libraries do."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import segmentation_models_pytorch as smp
import timm
import torch

from segcore.base import MaskwrightError
from segcore.models import architectures, build
from segcore.models.encoder_table import TABLE, encoder_names, encoder_row, encoder_rows
from segcore.models.encoders import encoder_preparation


def test_every_encoder_of_smp_and_timm_is_in_the_table() -> None:
    told = json.loads(TABLE.read_text(encoding="utf-8"))["made with"]
    installed = {"segmentation-models-pytorch": smp.__version__, "timm": timm.__version__}
    there = {*smp.encoders.get_encoder_names(), *(f"tu-{name}" for name in timm.list_models())}
    assert told == installed, "run packaging/encoder_table.py"
    assert there == set(encoder_rows())
    assert len(encoder_names()) > 900


@pytest.mark.parametrize("name", ["resnet18", "tu-test_resnet", "tu-test_convnext", "mobilenet_v2"])
def test_what_the_table_says_of_an_encoder_is_so(name: str) -> None:
    row = encoder_row(name)
    assert row is not None
    for stride in (32, 16, 8):
        if stride != 32 and stride not in row.dilates:
            continue
        encoder = smp.encoders.get_encoder(name, weights=None, output_stride=stride).eval()
        with torch.no_grad():
            sizes = [f.shape[-1] for f in encoder(torch.zeros(1, 3, 64, 96))]
        assert sizes == [96 // min(s, stride) for s in (1, 2, 4, 8, 16, 32)]
    assert (encoder.out_channels[1] == 0) == (row.style == "late")
    assert sum(p.numel() for p in encoder.parameters()) / 1e6 == pytest.approx(row.millions, 0.02)


@pytest.mark.parametrize(
    "encoder", ["densenet121", "inceptionv4", "vgg16", "tu-vit_tiny_patch16_224"]
)
@pytest.mark.parametrize("name", ["deeplabv3", "deeplabv3plus", "pan", "pspnet"])
def test_what_cannot_be_dilated_is_refused_in_one_sentence(name: str, encoder: str) -> None:
    said = architectures()[name].refuses(encoder)
    assert said is not None
    assert said.endswith(".")
    assert said.count(". ") == 0
    assert encoder in said
    with pytest.raises(MaskwrightError) as caught:
        build(name, classes=2, encoder=encoder)
    assert str(caught.value).startswith(said)


def test_an_encoder_that_is_not_dilated_is_taken() -> None:
    row = architectures()["pspnet"]
    assert row.refuses("densenet121", {"output_stride": 32}) is None
    assert row.refuses("densenet121", {"encoder_depth": 3}) is None
    assert row.refuses("resnet50") is None
    assert row.refuses("tu-resnet50.a1_in1k") is None


def test_dpt_takes_plain_transformers_only() -> None:
    row = architectures()["dpt"]
    assert row.refuses("tu-vit_small_patch16_224.augreg_in21k") is None
    assert "14" in (row.refuses("tu-vit_small_patch14_dinov2") or "")
    assert row.refuses("resnet50") is not None


def test_greying_a_pair_out_needs_no_torch() -> None:
    code = (
        "import sys\n"
        "from segcore.models import architectures\n"
        "from segcore.models.encoder_table import encoder_names\n"
        "assert len(encoder_names('fpn')) > 600\n"
        "assert architectures()['pan'].refuses('vgg16')\n"
        "heavy = {'torch', 'torchvision', 'timm', 'segmentation_models_pytorch', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("encoder", "mean", "std"),
    [
        ("resnet50", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("inceptionv4", (0.5,) * 3, (0.5,) * 3),
        ("inceptionresnetv2", (0.5,) * 3, (0.5,) * 3),
        ("xception", (0.5,) * 3, (0.5,) * 3),
        ("dpn68", (124 / 255, 117 / 255, 104 / 255), (1 / (0.0167 * 255),) * 3),
        ("tu-dpn68", (124 / 255, 117 / 255, 104 / 255), (1 / (0.0167 * 255),) * 3),
        ("tu-inception_v4", (0.5,) * 3, (0.5,) * 3),
        ("tu-vit_base_patch16_224", (0.5,) * 3, (0.5,) * 3),
        ("efficientnet-b0", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("timm-tf_efficientnet_lite0", (0.5,) * 3, (0.5,) * 3),
    ],
)
def test_pictures_are_prepared_as_the_encoders_weights_saw_them(
    encoder: str, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    found = encoder_preparation(encoder, 3)
    assert found.kind == "imagenet"
    assert found.mean == pytest.approx(mean)
    assert found.std == pytest.approx(std)


def test_an_encoder_made_for_one_size_is_padded_to_its_multiple() -> None:
    model = build("unet", classes=2, encoder="tu-test_maxvit").eval()
    row = encoder_row("tu-test_maxvit")
    assert row is not None
    assert model.input_multiple == row.multiple > 32
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 40, 50)).logits.shape == (1, 2, 40, 50)
