"""Losses of other libraries agree with ours wherever the definition is the same.

A comment says where it is not. All of them run on torch.
"""

import numpy as np
import pytest

import keras_trainfix as kt
from benchmarks import peers

pytestmark = pytest.mark.backend_only("torch", reason="the witnesses are torch losses")
torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def smp():
    try:
        return peers.smp_losses()
    except ConnectionError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def monai():
    pytest.importorskip("monai")
    return peers.monai_losses()


@pytest.fixture(params=[0, 1, 2])
def batch(request):
    """Labels with void and logits `(N, C, H, W)`; each image has each class."""
    rng = np.random.default_rng(request.param)
    labels = rng.integers(0, 4, (3, 9, 8))
    labels[rng.random(labels.shape) < 0.2] = 255
    labels[:, 0, :4] = range(4)
    logits = torch.tensor(rng.normal(0, 3, (3, 4, 9, 8)), dtype=torch.float32)
    return torch.tensor(labels), logits.requires_grad_()


def agree(ours, theirs, logits):
    """Both in value and in gradient."""
    values, gradients = [], []
    for loss in (ours, theirs):
        value = loss(logits)
        (gradient,) = torch.autograd.grad(value, logits)
        values.append(value.item())
        gradients.append(gradient.numpy())
    assert values[1] != 0
    np.testing.assert_allclose(values[0], values[1], rtol=1e-5, atol=1e-6)
    scale = np.abs(gradients[1]).max()
    np.testing.assert_allclose(gradients[0] / scale, gradients[1] / scale, atol=1e-5)


LOGITS = {"from_logits": True, "axis": 1}
WEIGHTS = [0.5, 1.0, 2.0, 0.0]


@pytest.mark.parametrize("weight", [None, WEIGHTS])
def test_crossentropy_of_torch(batch, weight):
    labels, logits = batch
    agree(
        lambda z: kt.masked_crossentropy(labels, z, class_weight=weight, **LOGITS),
        lambda z: torch.nn.functional.cross_entropy(
            z, labels, torch.tensor(weight) if weight else None, ignore_index=255
        ),
        logits,
    )


def test_label_smoothing_of_torch(batch):
    # With weights ours differ: torch weighs the part of each class in a smoothed label,
    # we weigh the pixel by its class.
    labels, logits = batch
    agree(
        lambda z: kt.masked_crossentropy(labels, z, label_smoothing=0.2, **LOGITS),
        lambda z: torch.nn.functional.cross_entropy(
            z, labels, ignore_index=255, label_smoothing=0.2
        ),
        logits,
    )


def test_soft_labels_of_torch(batch):
    # With weights ours differ: torch divides by the number of pixels.
    _, logits = batch
    rows = torch.softmax(torch.randn(logits.shape), 1)
    agree(
        lambda z: kt.masked_crossentropy(rows, z, **LOGITS),
        lambda z: torch.nn.functional.cross_entropy(z, rows),
        logits,
    )


def test_binary_crossentropy_of_torch(batch):
    labels, logits = batch
    valid = labels != 255
    target = torch.where(valid, labels % 2, 255)
    agree(
        lambda z: kt.masked_crossentropy(target, z[:, :1], **LOGITS),
        lambda z: torch.nn.functional.binary_cross_entropy_with_logits(
            z[:, 0][valid], target[valid].float()
        ),
        logits,
    )


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_loss_of_smp(batch, smp, gamma):
    # For exclusive classes, theirs has one sigmoid per class: our `multi_label`.
    labels, logits = batch
    rows = torch.nn.functional.one_hot(torch.where(labels == 255, 0, labels), 4)
    rows = torch.where((labels == 255)[..., None], 255, rows).movedim(-1, 1)
    agree(
        lambda z: kt.masked_crossentropy(
            rows, z, focal_gamma=gamma, multi_label=True, **LOGITS
        ),
        smp_loss(smp.focal.FocalLoss("multiclass", gamma=gamma), labels),
        logits,
    )
    target = torch.where(labels == 255, 255, labels % 2)
    agree(
        lambda z: kt.masked_crossentropy(target, z[:, :1], focal_gamma=gamma, **LOGITS),
        lambda z: smp_loss(smp.focal.FocalLoss("binary", gamma=gamma), target)(
            z[:, :1]
        ),
        logits,
    )


def smp_loss(loss, labels):
    loss.ignore_index = 255
    return lambda z: loss(z, labels)


@pytest.mark.parametrize("smooth", [0.0, 1.0])
def test_dice_of_smp(batch, smp, smooth):
    # Absent classes count as 0 in their mean, and are left out of ours. Their smoothing
    # is added to half the numerator and denominator.
    labels, logits = batch
    settings = {"scope": "batch", "smooth": 2 * smooth, **LOGITS}
    agree(
        lambda z: kt.masked_soft_dice(labels, z, **settings),
        smp_loss(smp.dice.DiceLoss("multiclass", smooth=smooth), labels),
        logits,
    )
    target = torch.where(labels == 255, 255, labels % 2)
    agree(
        lambda z: kt.masked_soft_dice(target, z[:, :1], **settings),
        lambda z: smp_loss(smp.dice.DiceLoss("binary", smooth=smooth), target)(
            z[:, :1]
        ),
        logits,
    )


def test_tversky_of_smp(batch, smp):
    # They apply the exponent after the mean over classes, we before.
    labels, logits = batch
    theirs = smp.tversky.TverskyLoss("multiclass", alpha=0.2, beta=0.7)
    agree(
        lambda z: kt.masked_tversky(
            labels, z, alpha=0.2, beta=0.7, scope="batch", **LOGITS
        ),
        smp_loss(theirs, labels),
        logits,
    )


@pytest.mark.parametrize("per_image", [True, False])
def test_lovasz_of_smp(batch, smp, per_image):
    labels, logits = batch
    scope = "image" if per_image else "batch"
    theirs = smp.lovasz.LovaszLoss("multiclass", per_image=per_image)
    agree(
        lambda z: kt.masked_lovasz(labels, z, scope=scope, **LOGITS),
        smp_loss(theirs, labels),
        logits,
    )
    target = torch.where(labels == 255, 255, labels % 2)
    theirs = smp.lovasz.LovaszLoss("binary", per_image=per_image)
    agree(
        lambda z: kt.masked_lovasz(target, z[:, :1], scope=scope, hinge=True, **LOGITS),
        lambda z: smp_loss(theirs, target)(z[:, 0]),
        logits,
    )


NO_SMOOTHING = {"smooth_nr": 0.0, "smooth_dr": 1e-12}
# MONAI has no void, and counts an absent class as wrong for any false positive.


@pytest.mark.parametrize("scope", ["image", "batch"])
@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("background", [False, True])
def test_dice_of_monai(batch, monai, scope, squared, background):
    labels, logits = batch
    labels = torch.where(labels == 255, 0, labels)
    theirs = monai.DiceLoss(
        softmax=True,
        to_onehot_y=True,
        batch=scope == "batch",
        squared_pred=squared,
        include_background=background,
        **NO_SMOOTHING,
    )
    agree(
        lambda z: kt.masked_soft_dice(
            labels,
            z,
            scope=scope,
            squared=squared,
            include_background=background,
            **LOGITS,
        ),
        lambda z: theirs(z, labels[:, None]),
        logits,
    )


@pytest.mark.parametrize("kind", ["square", "simple", "uniform"])
def test_generalized_dice_of_monai(batch, monai, kind):
    labels, logits = batch
    labels = torch.where(labels == 255, 0, labels)
    theirs = monai.GeneralizedDiceLoss(
        softmax=True, to_onehot_y=True, w_type=kind, **NO_SMOOTHING
    )
    agree(
        lambda z: kt.masked_soft_dice(labels, z, generalized=kind, **LOGITS),
        lambda z: theirs(z, labels[:, None]),
        logits,
    )


def test_dice_plus_crossentropy_of_monai(batch, monai):
    labels, logits = batch
    labels = torch.where(labels == 255, 0, labels)
    theirs = monai.DiceCELoss(
        softmax=True, to_onehot_y=True, lambda_ce=0.5, **NO_SMOOTHING
    )
    ours = kt.WeightedSum(
        [kt.MaskedSoftDice(**LOGITS), kt.MaskedCrossentropy(**LOGITS)], [1, 0.5]
    )
    agree(lambda z: ours(labels, z), lambda z: theirs(z, labels[:, None]), logits)


def test_tversky_of_monai(batch, monai):
    labels, logits = batch
    labels = torch.where(labels == 255, 0, labels)
    theirs = monai.TverskyLoss(
        softmax=True, to_onehot_y=True, alpha=0.3, beta=0.6, **NO_SMOOTHING
    )
    agree(
        lambda z: kt.masked_tversky(labels, z, alpha=0.3, beta=0.6, **LOGITS),
        lambda z: theirs(z, labels[:, None]),
        logits,
    )


def test_cl_dice_of_monai(batch, monai):
    # They sum over classes before they divide, and add 1e-4 to the sum of precision
    # and sensitivity: equal for one class, without that.
    labels, logits = batch
    target = torch.where(labels == 255, 0, labels % 2)
    for iterations in (0, 3):
        theirs = monai.SoftclDiceLoss(iter_=iterations, sigmoid=True, smooth=1e-12)
        agree(
            lambda z, n=iterations: kt.masked_cl_dice(
                target, z[:, :1], iterations=n, **LOGITS
            ),
            lambda z, loss=theirs: loss(z[:, :1], target[:, None].float()),
            logits,
        )


def test_cl_dice_of_monai_in_volumes(monai):
    rng = np.random.default_rng(0)
    target = torch.tensor(rng.integers(0, 2, (2, 1, 4, 6, 5)))
    logits = torch.tensor(rng.normal(size=target.shape), dtype=torch.float32)
    theirs = monai.SoftclDiceLoss(sigmoid=True, smooth=1e-12)
    agree(
        lambda z: kt.masked_cl_dice(target, z, **LOGITS),
        lambda z: theirs(z, target.float()),
        logits.requires_grad_(),
    )


@pytest.mark.parametrize("alpha", [1.0, 2.0])
@pytest.mark.parametrize("background", [False, True])
def test_hausdorff_of_monai(batch, monai, alpha, background):
    labels, logits = batch
    labels = torch.where(labels == 255, 0, labels)
    theirs = monai.HausdorffDTLoss(
        softmax=True, to_onehot_y=True, alpha=alpha, include_background=background
    )
    agree(
        lambda z: kt.masked_hausdorff(
            labels, z, alpha=alpha, include_background=background, **LOGITS
        ),
        lambda z: theirs(z, labels[:, None]),
        logits,
    )


def test_unified_focal_of_monai(batch, monai):
    # Their cross-entropy is halved, as a mean over both classes.
    labels, logits = batch
    labels = torch.where(labels == 255, 0, labels % 2)
    rows = torch.nn.functional.one_hot(labels, 2).movedim(-1, 1).float()
    delta, gamma = 0.6, 0.5
    tversky = {"alpha": 1 - delta, "beta": delta, **LOGITS}
    total = {"reduction": "sum", **LOGITS}
    ours = kt.WeightedSum(
        [
            kt.MaskedTversky(class_weight=[1, 0], **tversky),
            kt.MaskedTversky(class_weight=[0, 1], gamma=1 - gamma, **tversky),
            kt.MaskedCrossentropy(
                class_weight=[1 - delta, 0], focal_gamma=gamma, **total
            ),
            kt.MaskedCrossentropy(class_weight=[0, delta], **total),
        ],
        [0.25, 0.25, 0.5 / labels.numel(), 0.5 / labels.numel()],
    )
    settings = {"delta": delta, "gamma": gamma}
    regions = monai.unified_focal_loss.AsymmetricFocalTverskyLoss(**settings)
    pixels = monai.unified_focal_loss.AsymmetricFocalLoss(**settings)

    def theirs(z):
        p = torch.softmax(z, 1)
        return 0.5 * regions(p, rows) + 0.5 * 2 * pixels(p, rows)

    agree(lambda z: ours(labels, z[:, :2]), lambda z: theirs(z[:, :2]), logits)
