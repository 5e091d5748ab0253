"""A checkpoint of segmentation-models-pytorch predicts here what it predicted there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import segmentation_models_pytorch as smp
import torch
from safetensors.torch import save_file

from segcore.base import CLASS_PRESETS, BadFile, MaskwrightError
from segcore.models import architectures, load_model, save_model
from segcore.models.smp_checkpoint import load_smp_checkpoint

PEERS = sorted(row.peer for row in architectures().values() if row.peer)
LEAN = {"decoder_intermediate_channels": (8, 16, 24, 32), "decoder_fusion_channels": 32}
SMALL = {
    "DPT": {"encoder_name": "tu-test_vit", "dynamic_img_size": True} | LEAN,
    "UPerNet": {"decoder_channels": 32},
}
UNUSUAL: dict[str, dict[str, Any]] = {
    "Unet": {"encoder_depth": 4, "decoder_channels": (32, 16, 8, 8), "in_channels": 1},
    "UnetPlusPlus": {"decoder_attention_type": "scse", "decoder_use_norm": False},
    "FPN": {"decoder_merge_policy": "cat"},
    "MAnet": {"decoder_pab_channels": 8, "encoder_depth": 4, "decoder_channels": (32, 16, 8, 8)},
    "PSPNet": {"output_stride": 8, "encoder_depth": 5, "decoder_use_norm": True},
    "DeepLabV3": {"encoder_output_stride": 16, "decoder_atrous_rates": (2, 4, 6)},
    "DeepLabV3Plus": {"decoder_aspp_separable": False, "activation": "softmax2d"},
    "PAN": {"encoder_output_stride": 32, "decoder_interpolation": "nearest"},
    "UPerNet": {"decoder_use_norm": {"type": "identity"}, "aux_params": {"classes": 2}},
    "DPT": {"decoder_readout": "add", "encoder_output_indices": None},
}


def theirs(peer: str, **further: Any) -> Any:
    torch.manual_seed(0)
    usual = {"encoder_name": "tu-test_resnet"} | SMALL.get(peer, {})
    model = getattr(smp, peer)(encoder_weights=None, **usual | {"classes": 3} | further)
    for module in model.modules():  # statistics that are not those of the first day
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return model.eval()


@pytest.mark.parametrize("unusual", [False, True])
@pytest.mark.parametrize("peer", PEERS)
def test_a_saved_folder_gives_the_same_logits(peer: str, unusual: bool, tmp_path: Path) -> None:
    further = UNUSUAL.get(peer, {"encoder_depth": 4}) if unusual else {}
    model = theirs(peer, **further)
    model.save_pretrained(tmp_path / "theirs")
    save_model(load_smp_checkpoint(tmp_path / "theirs", classes=["a", "b", "c"]), tmp_path / "kept")
    ours = load_model(tmp_path / "kept")
    size = (256, 256) if peer == "PAN" else (64, 96)
    images = torch.randn(1, further.get("in_channels", 3), *size)
    with torch.no_grad():
        expected = model(images)
        found = ours(images).logits
    if "aux_params" in further:  # smp gives the picture's class as well
        expected = expected[0]
    if "activation" in further:
        found = found.softmax(1)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert [c.name for c in ours.spec.classes] == ["a", "b", "c"]
    assert ours.spec.weights == "imported from theirs"


def test_one_output_becomes_a_class_and_its_background(tmp_path: Path) -> None:
    model = theirs("FPN", classes=1, activation="sigmoid")
    model.save_pretrained(tmp_path)
    ours = load_smp_checkpoint(tmp_path, classes=["nucleus"])
    assert [c.name for c in ours.spec.classes.scored] == ["background", "nucleus"]
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        chance = ours(images).logits.softmax(1)[:, 1:]
        torch.testing.assert_close(chance, model(images), atol=1e-6, rtol=0)


@pytest.mark.parametrize("start", ["", "model.", "module.net."])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_alone_need_only_their_arguments(suffix: str, start: str, tmp_path: Path) -> None:
    model = theirs("Linknet")
    state = {start + key: value for key, value in model.state_dict().items()}
    path = tmp_path / f"net{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": state, "epoch": 3}, path)
    else:
        save_file(state, path)
    with pytest.raises(MaskwrightError, match="Nothing says which architecture"):
        load_smp_checkpoint(path)
    told = {"_model_class": "linknet", "encoder_name": "tu-test_resnet", "classes": 3}
    given = load_smp_checkpoint(path, arguments=told)
    (tmp_path / "net.json").write_text(json.dumps(told))
    beside = load_smp_checkpoint(path, classes=["a", "b", "c"])
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for ours in (given, beside):
            torch.testing.assert_close(ours(images).logits, model(images), atol=1e-6, rtol=0)


def test_a_class_set_with_a_void_fits_by_what_is_scored(tmp_path: Path) -> None:
    theirs("FPN", classes=11).save_pretrained(tmp_path)
    ours = load_smp_checkpoint(tmp_path, classes=CLASS_PRESETS["camvid"])
    assert ours.spec.classes == CLASS_PRESETS["camvid"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"_model_class": "Nonet"}, "Nonet"),
        ({"classes": 5}, "do not fit"),
        ({"encoder_name": "tu-test_convnext"}, "do not fit"),
        ({"decoder_dropout": "much"}, "dropout"),
        ({"activation": "argmax"}, "no probabilities"),
        ({"decoder_gate": 3}, "decoder_gate"),
        ({"upsampling": 8}, "picture's size"),
    ],
)
def test_what_cannot_be_imported_is_said_in_a_sentence(
    change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    theirs("FPN").save_pretrained(tmp_path)
    with pytest.raises(MaskwrightError, match=words) as caught:
        load_smp_checkpoint(tmp_path, arguments=change)
    assert caught.value.hint


def test_a_wrong_number_of_names_is_refused(tmp_path: Path) -> None:
    theirs("FPN").save_pretrained(tmp_path)
    with pytest.raises(MaskwrightError, match="tells 3 classes, and 2 were named"):
        load_smp_checkpoint(tmp_path, classes=["a", "b"])


def test_no_checkpoint_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no checkpoint"):
        load_smp_checkpoint(tmp_path)
    theirs("FPN").save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(BadFile, match="no valid JSON"):
        load_smp_checkpoint(tmp_path)
