"""The networks that no library has: what each promises beside what all models promise."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional

from segcore.base import ClassSet, MaskwrightError
from segcore.models import SegModel, build, for_project
from segcore.models.layers.backbone import at_stride
from segcore.models.layers.deeplab import DeepLab
from segcore.models.layers.enet import ENet, FullConvolution
from segcore.models.layers.fcn import AT_ONCE, Classifier, DoubleUp
from segcore.models.layers.segnet import SegNet
from segcore.models.layers.vgg import AtrousVgg, IndexedVgg, VggEncoder

SMALL = [
    ("naive", {"widths": [8, 16, 32]}),
    ("fcn", {"encoder": "resnet18"}),
    ("segnet", {"encoder": "vgg11_bn"}),
    ("enet", {}),
    ("deeplab", {"encoder": "resnet18"}),
    ("deeplab", {"encoder": "vgg11", "version": 1}),
]


def small(name: str, options: dict[str, object], classes: list[str]) -> SegModel:
    """A model with numbers in every parameter: FCN starts its scores from zero."""
    torch.manual_seed(3)
    model = build(name, classes=classes, **options)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    return model.eval()


@pytest.mark.parametrize(("name", "options"), SMALL)
def test_fine_tuning_carries_every_class_over_whatever_its_place(
    name: str, options: dict[str, object]
) -> None:
    old = small(name, options, ["sky", "road", "car"])
    new, plan = for_project(old, ClassSet.from_names(["car", "tree", "sky"]))
    assert plan.copied == {0: 2, 2: 0, 3: 1}
    images = torch.randn(1, 3, 40, 52)
    with torch.no_grad():
        before, after = old(images).logits, new.eval()(images).logits
    assert before.std() > 0
    torch.testing.assert_close(after[:, [2, 3, 0]], before)


@pytest.mark.parametrize(("name", "options"), SMALL)
def test_every_parameter_learns(name: str, options: dict[str, object]) -> None:
    model = small(name, options, ["a", "b"]).train()
    output = model(torch.randn(1, 3, 64, 64)).logits
    functional.cross_entropy(output, torch.randint(2, (1, 64, 64))).backward()
    still = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


# -- VGG ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vgg11", "vgg16_bn"])
def test_the_weights_of_torchvisions_vgg_load_and_give_its_features(name: str) -> None:
    theirs = torchvision.models.get_model(name, weights=None, init_weights=False).features.eval()
    state = {f"features.{key}": value for key, value in theirs.state_dict().items()}
    images = torch.randn(1, 3, 64, 64)
    for kind in (VggEncoder, IndexedVgg):
        ours = kind(name, 3).eval()
        ours.load_state_dict(state)
        with torch.no_grad():
            found = ours(images)
            last = (found[0] if isinstance(found, tuple) else found)[-1]
            assert torch.equal(last, theirs(images))


def test_dilation_computes_between_what_the_strided_network_computes() -> None:
    """Chen et al. 2014, section 3.1: every other value of the dense map is the sparse one's."""
    torch.manual_seed(0)
    dense = AtrousVgg("vgg11", 3).eval()
    sparse = AtrousVgg("vgg11", 3).eval()
    sparse.load_state_dict(dense.state_dict())
    fourth, fifth = list(sparse.stages())[3:]
    fourth[-1].stride = 2  # as before it was made dense
    for module in fifth:
        if isinstance(module, nn.Conv2d):
            module.dilation = module.padding = (1, 1)

    def before_the_last_pooling(encoder: AtrousVgg, images: torch.Tensor) -> torch.Tensor:
        return nn.Sequential(*list(encoder.features)[:-1])(images)

    images = torch.randn(1, 3, 97, 129)
    with torch.no_grad():
        fine = before_the_last_pooling(dense, images)
        coarse = before_the_last_pooling(sparse, images)
    assert fine.shape[-2:] == (13, 17)
    torch.testing.assert_close(fine[..., ::2, ::2], coarse)


@pytest.mark.filterwarnings("ignore:for .* a no-op")  # what meta tensors say when they are filled
@pytest.mark.parametrize(("name", "options"), [("fcn", {}), ("deeplab", {"version": 1})])
def test_first_weights_fill_the_fully_connected_layers_too(
    name: str, options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub is played by rows that hold their own number and share one column's memory."""
    rows = torch.arange(4096.0)
    donor = VggEncoder("vgg11", 3).state_dict() | {
        "classifier.0.weight": rows[:, None].expand(4096, 25088),
        "classifier.0.bias": rows,
        "classifier.3.weight": rows[:, None] + rows / 4096,
        "classifier.3.bias": rows,
        "classifier.6.bias": torch.zeros(1000),
    }
    monkeypatch.setattr("segcore.models.encoders._from_hub", lambda _: donor)
    if name == "fcn":  # its 120 million numbers take no memory here either: shapes alone are seen
        with torch.device("meta"):
            model = build(name, classes=2, encoder="vgg11", weights="imagenet", **options)
        assert model.network.classifier[0].weight.shape == (4096, 512, 7, 7)
        assert model.spec.weights == "imagenet (hub)"
        return
    model = build(name, classes=2, encoder="vgg11", weights="imagenet", **options)
    fc6, fc7 = (model.network.segmentation_head.branches[0][i] for i in (0, 3))
    assert fc6.weight[:, 0, 0, 0].tolist() == list(range(0, 4096, 4))
    assert torch.equal(fc6.bias, rows[::4])
    assert torch.equal(fc7.weight[5, :, 0, 0], 20 + rows[::4] / 4096)
    assert torch.equal(model.network.encoder.features[0].weight, donor["features.0.weight"])


@pytest.mark.parametrize("name", ["naive", "enet"])
def test_a_network_without_an_encoder_says_that_nobody_trained_it(
    name: str, tmp_path: Path
) -> None:
    model = build(name, classes=2, weights="imagenet")
    assert model.spec.weights.startswith("random (")
    with pytest.raises(MaskwrightError, match="no encoder") as caught:
        build(name, classes=2, weights=tmp_path / "some.pth")
    assert caught.value.hint


# -- FCN ------------------------------------------------------------------------------------------


def test_the_convolutions_of_fcn_are_the_fully_connected_layers_of_vgg() -> None:
    """In the middle of a map of 7 x 7 the kernel of fc6 sees all of it, as the matrix did."""
    torch.manual_seed(0)
    matrices = nn.Sequential(
        nn.Linear(8 * 49, 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 32), nn.ReLU()
    ).eval()
    state = {f"classifier.{key}": value for key, value in matrices.state_dict().items()}
    ours = Classifier(8, 32).eval()
    ours.take(state | {"classifier.6.weight": torch.zeros(1000, 32)})
    features = torch.randn(2, 8, 7, 7)
    with torch.no_grad():
        torch.testing.assert_close(ours(features)[:, :, 3, 3], matrices(features.flatten(1)))


def test_enlarging_starts_as_bilinear_interpolation() -> None:
    scores = torch.randn(2, 5, 6, 9)
    expected = functional.interpolate(scores, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(DoubleUp(5)(scores), expected)


@pytest.mark.parametrize("at_once", [False, True])
def test_fcn_8s_is_the_sum_of_the_scores_of_three_strides(at_once: bool) -> None:
    network = small("fcn", {"encoder": "resnet18", "at_once": at_once}, ["a", "b"]).network
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        maps = network.encoder(images)
        by_hand = network.segmentation_head(at_stride(maps, network.encoder, 32))
        for stride in (16, 8):
            factor = AT_ONCE[stride] if at_once else 1.0
            finer = network.scores[str(stride)](at_stride(maps, network.encoder, stride) * factor)
            by_hand = functional.interpolate(by_hand, scale_factor=2, mode="bilinear") + finer
        full = functional.interpolate(by_hand, scale_factor=8, mode="bilinear")
        torch.testing.assert_close(network(images), full)


def test_a_new_skip_of_fcn_changes_nothing_until_it_is_trained() -> None:
    coarse = small("fcn", {"encoder": "resnet18", "stride": 32}, ["a", "b"])
    fine = build("fcn", classes=["a", "b"], encoder="resnet18", stride=8).eval()
    fine.load_state_dict(coarse.state_dict(), strict=False)
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        scores = coarse.network.segmentation_head(coarse.network.encoder(images)[-1])
        for factor in (2, 2, 8):
            scores = functional.interpolate(scores, scale_factor=factor, mode="bilinear")
        torch.testing.assert_close(fine(images).logits, scores)


# -- SegNet and ENet ------------------------------------------------------------------------------


def test_segnet_returns_each_maximum_to_its_pixel() -> None:
    network = SegNet("vgg11_bn", 3, 2).eval()
    seen: list[torch.Tensor] = []
    network.decoder[-1].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    before: list[torch.Tensor] = []
    first_pool = next(m for m in network.encoder.features if isinstance(m, nn.MaxPool2d))
    first_pool.register_forward_pre_hook(lambda _, given: before.append(given[0]))
    with torch.no_grad():
        network(torch.randn(1, 3, 64, 64))
    blocks = functional.unfold(before[0][0, :, None], 2, stride=2)  # (C, 4, windows)
    filled = functional.unfold(seen[0][0, :, None], 2, stride=2) != 0
    assert filled.any()
    at_most_one = filled.sum(1) <= 1
    assert at_most_one.all()
    the_largest = blocks == blocks.amax(1, keepdim=True)
    assert (the_largest | ~filled).all()


@pytest.mark.parametrize(
    ("name", "encoder", "words"),
    [
        ("deeplab", "densenet121", "dilates its encoder to stride 8, which densenet121 cannot"),
        ("fcn", "tu-deit3_small_patch16_224", "one size of features"),
        ("enet", "resnet18", "an encoder of its own"),
    ],
)
def test_an_encoder_that_does_not_fit_is_refused_in_a_sentence(
    name: str, encoder: str, words: str
) -> None:
    with pytest.raises(MaskwrightError, match=words) as caught:
        build(name, classes=2, encoder=encoder)
    assert caught.value.hint


def test_segnet_takes_no_encoder_without_that_pooling() -> None:
    with pytest.raises(MaskwrightError, match="resnet18") as caught:
        build("segnet", classes=2, encoder="resnet18")
    assert caught.value.hint


def test_the_head_of_enet_is_a_transposed_convolution_with_classes_first() -> None:
    ours = FullConvolution(16, 5)
    theirs = nn.ConvTranspose2d(16, 5, 2, stride=2)
    with torch.no_grad():
        theirs.weight.copy_(ours.weight.transpose(0, 1))
        theirs.bias.copy_(ours.bias)
        values = torch.randn(2, 16, 4, 6)
        torch.testing.assert_close(ours(values), theirs(values))
    assert ours.weight.shape[0] == 5


def test_enet_keeps_most_of_its_first_maps_for_convolutions_with_many_channels() -> None:
    for channels, maps in ((1, 16), (3, 16), (7, 16), (12, 24)):
        initial = ENet(channels, 2).initial
        assert initial.convolution.out_channels == maps - channels >= maps / 2


# -- DeepLab --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("encoder", "corners"), [("resnet18", True), ("tu-test_convnext", False)])
def test_deeplab_enlarges_a_map_from_where_its_values_lie(encoder: str, corners: bool) -> None:
    """One value of the map is raised: the scores must be highest around that place."""
    network = small("deeplab", {"encoder": encoder}, ["a", "b"]).network
    assert network.on_corners is corners
    place = torch.zeros(1, 2, 9 if corners else 8, 9 if corners else 8)
    place[..., 3, 5] = 1.0
    network.segmentation_head.register_forward_hook(lambda *_: place)
    with torch.no_grad():
        scores = network(torch.randn(1, 3, 64, 64))[0, 0]
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    # Patches of 8 pixels have their centre at 3.5; a map on corners has its values at 0, 8, 16...
    middle = 0.0 if corners else 3.5
    assert float((scores * y).sum() / scores.sum()) == pytest.approx(24 + middle, abs=0.01)
    assert float((scores * x).sum() / scores.sum()) == pytest.approx(40 + middle, abs=0.01)


def test_deeplab_is_the_sum_of_what_each_rate_sees() -> None:
    network = small("deeplab", {"encoder": "resnet18"}, ["a", "b"]).network
    assert isinstance(network, DeepLab)
    images = torch.randn(1, 3, 64, 48)
    with torch.no_grad():
        values = network.encoder(functional.pad(images, (0, 1, 0, 1), mode="replicate"))[-1]
        total = torch.zeros(1, 2, 9, 7)
        for rate, branch in zip((6, 12, 18, 24), network.segmentation_head.branches, strict=True):
            total += functional.conv2d(
                values, branch.weight, branch.bias, padding=rate, dilation=rate
            )
        full = network(images)
    torch.testing.assert_close(full[..., ::8, ::8], total[..., :-1, :-1])
