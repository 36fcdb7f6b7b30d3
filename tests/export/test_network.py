from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.network_config import Backbone, HeadForm, NetworkConfig
from scanner.errors import UsageError

pytestmark = pytest.mark.export
keras = pytest.importorskip("keras", reason="Keras is in the extra [export]")

TINY = NetworkConfig(Backbone.TINY, blocks=(0, 2, 3), hidden=8, groups=1, size=32)


def images(count: int, size: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def test_features_are_mean_and_deviation_of_the_blocks() -> None:
    from export.network import build_network, extractor_of, statistics_columns

    network = build_network(TINY)
    x = images(3)
    found = np.asarray(extractor_of(network)(x))
    scaled = x.astype(np.float32) / 127.5 - 1
    expected = []
    for block in TINY.blocks:
        tap = keras.Model(network.backbone.input, network.backbone.get_layer(f"block{block}_out").output)
        values = np.asarray(tap(scaled))
        expected += [values.mean((1, 2)), values.std((1, 2))]
    np.testing.assert_allclose(found, np.concatenate(expected, 1), atol=2e-4)
    assert statistics_columns(TINY) == [(0, 0, 16), (2, 16, 48), (3, 48, 96)]


def test_each_row_is_read_by_the_head_of_its_group() -> None:
    from dataclasses import replace

    from export.network import build_network, extractor_of

    network = build_network(replace(TINY, groups=3))
    x = images(6)
    groups = np.array([0, 1, 2, 2, 1, 0], np.int32)
    logits = np.asarray(network.model([x, groups]))
    features = extractor_of(network)(x)
    heads = np.stack([np.asarray(head(features))[:, 0] for head in network.heads])
    assert logits.shape == (6,)
    np.testing.assert_allclose(logits, heads[groups, np.arange(6)], rtol=1e-5, atol=1e-6)
    assert len({round(float(value), 6) for value in heads[:, 0]}) == 3


@pytest.mark.parametrize(
    ("backbone", "blocks"),
    [
        (Backbone.EFFICIENTNET_LITE0, 16),
        (Backbone.EFFICIENTNET_LITE1, 21),
        (Backbone.EFFICIENTNET_LITE2, 21),
        (Backbone.MOBILENET_V2, 17),
        (Backbone.EFFICIENTNET_V2_B0, 21),
        (Backbone.RESNET_50, 16),
        (Backbone.TINY, 4),
    ],
)
def test_every_backbone_has_its_blocks_in_order(backbone: Backbone, blocks: int) -> None:
    from export.backbones import build_backbone

    built = build_backbone(backbone)
    assert len(built.blocks) == blocks
    order = [layer.name for layer in built.model.layers]
    positions = [order.index(name) for name in built.blocks]
    assert positions == sorted(positions)


@pytest.mark.parametrize(
    ("backbone", "module"),
    [
        (Backbone.MOBILENET_V2, "mobilenet_v2"),
        (Backbone.RESNET_50, "resnet50"),
    ],
)
def test_input_is_scaled_as_keras_applications_does(backbone: Backbone, module: str) -> None:
    from export.network import build_network

    config = NetworkConfig(backbone, head=HeadForm.POOLED, size=32)
    network = build_network(config)
    x = images(2)
    expected = getattr(keras.applications, module).preprocess_input(x.astype(np.float32).copy())
    pooled = np.asarray(network.backbone(expected)).mean((1, 2))
    np.testing.assert_allclose(np.asarray(_features(network)(x)), pooled, rtol=1e-3, atol=1e-3)


def test_efficientnet_v2_is_scaled_as_its_own_layers_would() -> None:
    from export.network import build_network

    network = build_network(NetworkConfig(Backbone.EFFICIENTNET_V2_B0, head=HeadForm.POOLED, size=32))
    whole = keras.applications.EfficientNetV2B0(weights=None, include_top=False, input_shape=(32, 32, 3))
    x = images(2)
    found = np.asarray(network.model.get_layer("normalise")(x))
    rescaled = x.astype(np.float32)
    for layer in whole.layers[1:3]:
        rescaled = layer(rescaled)
    np.testing.assert_allclose(found, np.asarray(rescaled), atol=1e-4)


def _features(network: Any) -> Any:
    from export.network import extractor_of

    return extractor_of(network)


@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
@pytest.mark.parametrize("backbone", [Backbone.MOBILENET_V2, Backbone.TINY])
def test_weights_come_from_a_file(tmp_path: Path, ending: str, backbone: Backbone) -> None:
    from export.backbones import build_backbone

    first = build_backbone(backbone).model
    path = tmp_path / f"saved{ending}"
    first.save_weights(path) if ending == ".weights.h5" else first.save(path)
    second = build_backbone(backbone, weights=str(path)).model
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_that_are_missing_or_do_not_fit_are_named(tmp_path: Path) -> None:
    from export.backbones import build_backbone

    with pytest.raises(UsageError, match="no such file"):
        build_backbone(Backbone.TINY, weights=str(tmp_path / "none.weights.h5"))
    build_backbone(Backbone.TINY).model.save_weights(tmp_path / "tiny.weights.h5")
    with pytest.raises(UsageError, match="does not fit"):
        build_backbone(Backbone.MOBILENET_V2, weights=str(tmp_path / "tiny.weights.h5"))
    with pytest.raises(UsageError, match="import-weights"):
        build_backbone(Backbone.EFFICIENTNET_LITE0, weights="imagenet")
    with pytest.raises(UsageError, match="--alpha"):
        build_backbone(Backbone.TINY, alpha=1.3)


def test_a_download_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from export.backbones import build_backbone

    def offline(**options: object) -> None:
        assert options["weights"] == "imagenet"
        raise Exception("URL fetch failure on https://example.org/weights.h5: None -- [Errno -2]\nmore")

    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    with pytest.raises(UsageError, match=r"could not be had \(URL fetch failure .*Errno -2\]\); use --weights FILE"):
        build_backbone(Backbone.MOBILENET_V2, weights="imagenet")


def test_blocks_that_are_not_there_are_named() -> None:
    from dataclasses import replace

    from export.network import build_network

    with pytest.raises(UsageError, match="blocks 0 to 3, not 9"):
        build_network(replace(TINY, blocks=(1, 9)))


def test_mobilenets_imagenet_weights_load(test_data_dir: Path) -> None:
    from export.backbones import build_backbone

    path = test_data_dir / "weights" / "mobilenet_v2_1.0_224_notop.weights.h5"
    built = build_backbone(Backbone.MOBILENET_V2, weights=str(path))
    assert float(np.abs(built.model.get_layer("Conv1").get_weights()[0]).max()) > 0.2


def torch_forward(state: dict[str, Any], x: np.ndarray) -> list[np.ndarray]:
    """EfficientNet-Lite0 by torch's own layers, from the checkpoint's tensors: the output of every block."""
    import torch
    from torch.nn import functional

    def conv(x: Any, name: str, stride: int = 1, groups: int = 1) -> Any:
        weight = state[f"{name}.weight"]
        kernel, size = weight.shape[-1], x.shape[-1]
        pad = max((-(-size // stride) - 1) * stride + kernel - size, 0)  # TensorFlow's SAME
        x = functional.pad(x, [pad // 2, pad - pad // 2, pad // 2, pad - pad // 2])
        return functional.conv2d(x, weight, stride=stride, groups=groups)

    def norm(x: Any, name: str) -> Any:
        parts = [state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return functional.batch_norm(x, *parts, eps=1e-3)

    strides = {1: 2, 3: 2, 5: 2, 11: 2}
    outputs = []
    with torch.no_grad():
        y = functional.relu6(norm(conv(torch.from_numpy(x).permute(0, 3, 1, 2), "_conv_stem", 2), "_bn0"))
        for block in range(16):
            name, before = f"_blocks.{block}", y
            if f"{name}._expand_conv.weight" in state:
                y = functional.relu6(norm(conv(y, f"{name}._expand_conv"), f"{name}._bn0"))
            y = conv(y, f"{name}._depthwise_conv", strides.get(block, 1), groups=y.shape[1])
            y = functional.relu6(norm(y, f"{name}._bn1"))
            y = norm(conv(y, f"{name}._project_conv"), f"{name}._bn2")
            y = y + before if y.shape == before.shape else y
            outputs.append(y.permute(0, 2, 3, 1).numpy())
    return outputs


def random_checkpoint(torch: Any) -> dict[str, Any]:
    """A state dict of EfficientNet-Lite0's shapes with random numbers of a sound scale."""
    from export import efficientnet_lite
    from export.import_weights import _torch_name

    generator = torch.Generator().manual_seed(0)
    state = {"_fc.weight": torch.zeros(1000, 1280), "_bn0.num_batches_tracked": torch.tensor(1)}
    for layer in efficientnet_lite.build().layers:
        if not layer.weights:
            continue
        name = _torch_name(layer.name)
        if isinstance(layer, keras.layers.BatchNormalization):
            width = layer.weights[0].shape[0]
            for part in ("weight", "running_var"):
                state[f"{name}.{part}"] = 0.5 + torch.rand(width, generator=generator)
            for part in ("bias", "running_mean"):
                state[f"{name}.{part}"] = 0.3 * torch.randn(width, generator=generator)
            continue
        h, w, i, o = layer.weights[0].shape
        shape = (i, 1, h, w) if isinstance(layer, keras.layers.DepthwiseConv2D) else (o, i, h, w)
        fan = shape[1] * h * w
        state[f"{name}.weight"] = torch.randn(*shape, generator=generator) * fan**-0.5
    return state


@pytest.mark.parametrize("kind", ["random", "imagenet"])
def test_imported_weights_give_what_torch_gives(tmp_path: Path, kind: str) -> None:
    torch = pytest.importorskip("torch", reason="only import-weights needs PyTorch")
    from export.backbones import build_backbone
    from export.import_weights import import_weights

    if kind == "imagenet":
        named = os.environ.get("TEST_LITE0_CHECKPOINT")
        if not named:
            pytest.skip("TEST_LITE0_CHECKPOINT names no checkpoint of EfficientNet-Lite0")
        checkpoint = Path(named)
        state = torch.load(checkpoint, weights_only=True)
    else:
        checkpoint = tmp_path / "random.pth"
        state = random_checkpoint(torch)
        torch.save(state, checkpoint)
    import_weights(checkpoint, tmp_path / "lite0.weights.h5")
    built = build_backbone(Backbone.EFFICIENTNET_LITE0, weights=str(tmp_path / "lite0.weights.h5"))
    x = (images(2, 65).astype(np.float32) - 127) / 128
    taps = keras.Model(built.model.input, [built.model.get_layer(name).output for name in built.blocks])
    for index, (mine, theirs) in enumerate(zip(taps(x), torch_forward(state, x), strict=True)):
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(np.asarray(mine) / scale, theirs / scale, atol=2e-5, err_msg=f"block {index}")


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="only import-weights needs PyTorch")
    from export.import_weights import import_weights

    torch.save({"layer.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(UsageError, match="is not efficientnet-lite0"):
        import_weights(tmp_path / "other.pth", tmp_path / "out.weights.h5")
    (tmp_path / "text.pth").write_text("no checkpoint")
    with pytest.raises(UsageError, match="no PyTorch checkpoint"):
        import_weights(tmp_path / "text.pth", tmp_path / "out.weights.h5")
    with pytest.raises(UsageError, match="not resnet-50"):
        import_weights(tmp_path / "other.pth", tmp_path / "out.weights.h5", Backbone.RESNET_50)
    assert not (tmp_path / "out.weights.h5").exists()


def slim_name(layer: str, kind: str) -> str:
    """The name that TF-Slim gives to a weight of keras.applications' MobileNetV2."""
    norm = "BatchNorm/" if layer.endswith("_BN") or "bn" in layer else ""
    base = layer.removesuffix("_BN")
    scopes = {"Conv1": "Conv", "bn_Conv1": "Conv", "Conv_1": "Conv_1", "Conv_1_bn": "Conv_1"}
    if base not in scopes:
        block, _, part = base.rpartition("_")
        scopes[base] = f"{block.replace('block_', 'expanded_conv_')}/{part}"
    kind = {"kernel": "depthwise_weights" if "depthwise" in layer else "weights"}.get(kind, kind)
    return f"MobilenetV2/{scopes[base]}/{norm}{kind}"


@pytest.mark.parametrize("form", ["keras", "slim"])
def test_weights_come_from_a_saved_model(tmp_path: Path, form: str) -> None:
    import tensorflow as tf

    from export.backbones import build_backbone
    from export.import_saved_model import import_saved_model

    model = build_backbone(Backbone.MOBILENET_V2).model
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape).astype(np.float32) for w in model.get_weights()])
    if form == "keras":
        top = keras.layers.Dense(3, name="predictions")(keras.layers.GlobalAveragePooling2D()(model.output))
        keras.Model(model.input, top).export(tmp_path / "saved", verbose=False)
    else:
        module = tf.Module()
        module.variables_ = [
            tf.Variable(w.numpy(), name=slim_name(layer.name, w.name)) for layer in model.layers for w in layer.weights
        ]
        module.call = tf.function(lambda x: x + sum(tf.reduce_sum(v) for v in module.variables_))
        signature = module.call.get_concrete_function(tf.TensorSpec((), tf.float32))
        tf.saved_model.save(module, str(tmp_path / "saved"), signatures=signature)
    import_saved_model(tmp_path / "saved", tmp_path / "out.weights.h5", Backbone.MOBILENET_V2)
    built = build_backbone(Backbone.MOBILENET_V2, weights=str(tmp_path / "out.weights.h5"))
    for a, b in zip(model.get_weights(), built.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(UsageError, match="no weight for"):
        import_saved_model(tmp_path / "saved", tmp_path / "other.weights.h5", Backbone.RESNET_50)
    with pytest.raises(UsageError, match="of this width"):
        import_saved_model(tmp_path / "saved", tmp_path / "other.weights.h5", Backbone.MOBILENET_V2, alpha=1.3)
    with pytest.raises(UsageError, match="no SavedModel"):
        import_saved_model(tmp_path, tmp_path / "other.weights.h5", Backbone.MOBILENET_V2)
