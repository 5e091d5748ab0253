"""Model and project need not have the same classes, and their order means nothing."""

from __future__ import annotations

import pytest
import torch

from segcore.base import ClassId, ClassSet, SegClass
from segcore.models import build, for_project, plan_head


def classes(*names: str, ignore: str = "", uuids: dict[str, str] | None = None) -> ClassSet:
    return ClassSet(
        tuple(
            SegClass(
                ClassId(i + 1),
                name,
                i,
                None,
                ignore=name == ignore,
                uuid=(uuids or {}).get(name, ""),
            )
            for i, name in enumerate(names)
        )
    )


def test_the_head_follows_names_when_the_order_differs() -> None:
    torch.manual_seed(0)
    old = build("fpn", classes=classes("sky", "road", "car"), encoder="resnet18").eval()
    new, plan = for_project(old, classes("Car", "void", "Sky", "ROAD", ignore="void"))
    assert plan.copied == {0: 2, 1: 0, 2: 1}
    assert not plan.fresh
    assert not plan.frozen
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        there, here = old(images).logits, new.eval()(images).logits
    assert torch.equal(here, there[:, [2, 0, 1]])


def test_a_uuid_goes_before_a_name() -> None:
    mine = {"auto": "same", "car": "another"}
    old = classes("car", uuids={"car": "same"})
    plan = plan_head(old, classes("car", "auto", uuids=mine))
    assert plan.copied == {1: 0}
    assert plan.fresh == (0,)


def test_new_classes_start_and_absent_ones_are_kept_frozen_with_free_ids() -> None:
    torch.manual_seed(0)
    old = build("fpn", classes=classes("sky", "road", "car"), encoder="resnet18")
    project = classes("road", "tree")
    new, plan = for_project(old, project)
    assert plan.copied == {0: 1, 2: 0, 3: 2}
    assert plan.fresh == (1,)
    assert plan.frozen == (2, 3)
    names = [c.name for c in new.spec.classes.scored]
    assert names == ["road", "tree", "sky", "car"]
    assert [c.id for c in new.spec.classes.scored][:2] == [1, 2], "the project's own ids stay"
    assert len({c.id for c in new.spec.classes}) == 4
    assert set(new.spec.frozen) == {c.uuid for c in old.spec.classes if c.name in ("sky", "car")}
    for channel, row in plan.copied.items():
        assert torch.equal(new.head.weight[channel], old.head.weight[row])
    assert not any(torch.equal(new.head.weight[1], row) for row in old.head.weight)


def test_the_body_is_taken_over_whole() -> None:
    old = build("unet", classes=classes("a", "b"), encoder="resnet18")
    new, _ = for_project(old, classes("b", "c", "d"))
    head = {"network.segmentation_head.0.weight", "network.segmentation_head.0.bias"}
    for key, value in old.state_dict().items():
        assert key in head or torch.equal(new.state_dict()[key], value)


@pytest.mark.parametrize("ignored", ["void"])
def test_a_class_that_the_project_ignores_is_dropped_not_frozen(ignored: str) -> None:
    plan = plan_head(classes("sky", "void"), classes("sky", "void", ignore=ignored))
    assert plan.copied == {0: 0}
    assert not plan.frozen


def test_every_layer_that_has_a_row_a_class_is_known_by_its_axes() -> None:
    """What says nothing of its class axes would be lost when the number of classes changes."""
    for name, options in (
        ("fcn", {"encoder": "resnet18"}),
        ("deeplab", {"encoder": "resnet18"}),
        ("enet", {}),
        ("pointrend", {"encoder": "resnet18", "base": "deeplab"}),
        ("mask_rcnn", {"encoder": "resnet18"}),
        ("pointrend", {"encoder": "resnet18", "base": "mask_rcnn"}),
    ):
        with torch.device("meta"):
            few = build(name, classes=5, **options)  # type: ignore[arg-type]
            many = build(name, classes=9, **options)  # type: ignore[arg-type]
        shapes = {key: value.shape for key, value in many.state_dict().items()}
        changed = {
            key: {axis for axis, length in enumerate(value.shape) if length != shapes[key][axis]}
            for key, value in few.state_dict().items()
            if value.shape != shapes[key]
        }
        assert changed == {key: set(axes) for key, axes in few.class_axes().items()}, name


def test_what_is_known_of_a_models_engines_says_nothing_of_the_one_made_from_it() -> None:
    old = build("fpn", classes=classes("sky", "road"), encoder="tu-test_resnet")
    old.spec = old.spec.changed(engines={"openvino-f32": {"items": 1}})
    new, _ = for_project(old, classes("sky", "road", "car"))
    assert new.spec.engines == {}
