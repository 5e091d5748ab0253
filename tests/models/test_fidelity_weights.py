"""Weights that others trained load by name where the part is theirs, and compute the same."""

from __future__ import annotations

import pytest
import segmentation_models_pytorch as smp
import torch
import torchvision

from segcore.models import architectures, build

OF_SMP = sorted(row.name for row in architectures().values() if row.peer)
# Built as smp builds them by default, without the heads that only training here adds.
PLAIN: dict[str, dict[str, object]] = {"pspnet": {"auxiliary": False}, "dpt": {"auxiliary": False}}


@pytest.mark.parametrize("name", OF_SMP)
def test_a_checkpoint_of_smp_has_the_names_and_shapes_of_the_network_here(name: str) -> None:
    row = architectures()[name]
    encoder = row.encoder if name == "dpt" else "resnet18"
    with torch.device("meta"):
        ours = build(name, classes=7, channels=4, encoder=encoder, **PLAIN.get(name, {}))
        chosen = {
            option.argument: ours.spec.options[option.name]
            for option in row.options
            if option.argument and option.name in ours.spec.options
        }
        further = {"dynamic_img_size": True} if name == "dpt" else {}
        theirs = getattr(smp, row.peer)(
            encoder_name=encoder,
            encoder_weights=None,
            in_channels=4,
            classes=7,
            **chosen | further,
        )
    here = {key: value.shape for key, value in ours.network.state_dict().items()}
    there = {key: value.shape for key, value in theirs.state_dict().items()}
    if name == "dpt":  # the classifier of the transformer has no part in the network
        there = {
            key: shape for key, shape in there.items() if not key.startswith("encoder.model.head")
        }
    assert here == there


@pytest.mark.parametrize(
    ("name", "options"),
    [("fcn", {"stride": 32}), ("deeplab", {}), ("deeplab", {"version": 1})],
)
def test_torchvisions_resnet_loads_and_gives_its_maps(
    name: str, options: dict[str, object]
) -> None:
    torch.manual_seed(0)
    theirs = torchvision.models.resnet18(weights=None).eval()
    model = build(name, classes=2, encoder="resnet18", **options).eval()  # type: ignore[arg-type]
    encoder = model.network.encoder
    state = {k: v for k, v in theirs.state_dict().items() if not k.startswith("fc.")}
    encoder.load_state_dict(state)
    images = torch.randn(1, 3, 65, 97)
    with torch.no_grad():
        values = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(images))))
        quarter = theirs.layer1(values)
        eighth = theirs.layer2(quarter)
        found = encoder(images)
        torch.testing.assert_close(found[2], quarter)
        torch.testing.assert_close(found[3], eighth)
        last = theirs.layer4(theirs.layer3(eighth))
    if name == "fcn":
        torch.testing.assert_close(found[5], last)
    else:
        assert found[5].shape[-2:] == eighth.shape[-2:], "stride 8 to the end"


def test_vgg_16_of_torchvision_is_in_fcn_segnet_and_deeplab_index_by_index() -> None:
    with torch.device("meta"):
        plain = torchvision.models.vgg16(weights=None).state_dict()
        normed = torchvision.models.vgg16_bn(weights=None).state_dict()
        networks = [
            (build("fcn", classes=2).network, plain),
            (build("deeplab", classes=2).network, plain),
            (build("segnet", classes=2).network, normed),
        ]
    for network, theirs in networks:
        ours = network.encoder.state_dict()
        features = {k: v.shape for k, v in theirs.items() if k.startswith("features.")}
        assert {k: v.shape for k, v in ours.items()} == features
    fcn = networks[0][0].classifier.state_dict()
    for key, value in fcn.items():
        assert value.numel() == plain[f"classifier.{key}"].numel()
