"""Losses from other libraries, for comparison in benchmarks and tests."""

import importlib
import sys
import types
import warnings

from examples import real_data

# segmentation-models-pytorch needs a torchvision without a CPU build. Its losses need
# only torch, so they are extracted from the package.
SMP_VERSION = "0.6.0"
SMP_MODULES = {
    "constants": "c29f510cf95410da6ea7779a5a3e513ba1cffb837cfb46944f6ab13b6896c0bb",
    "_functional": "4e1b081c1e35d2f9e2399fe76d29398890630fefa0abc6f07a34c79c24a08bdb",
    "dice": "6797cd271a3af83013502f58fd066220cf2afcba09af920cd207865f4a22cdd6",
    "focal": "17fc74a6e6cfc6250935e54e36c33d193b50e95a6ae963c1bd8732c46832cdeb",
    "tversky": "27d522351215eade9fb48cdfdd185650a46e25db4b08fb4cf571233bc1562a7f",
    "lovasz": "a013cdb6d1f3ba5ce2ab76f7ee288fb29bb8059189717cc3c3641bc08b85decf",
}


MEDICAI_VERSION = "0.0.4"
# medicai needs nibabel, omegaconf and more. Its losses need only Keras, and three names
# of `medicai.utils`. Its metric has no IoU, and no void on torch.
MEDICAI_MODULES = {
    "utils/loss_utils": (
        "cc68c1c34fc2617d9abaf79f96c213be046bb81a0748afe4e45412f4344651e1"
    ),
    "losses/base": "db387e595aae6a3cc3cfed26201c38fa331c5d73512f38e172813a1e3ac5365b",
    "losses/dice": "7edb9ba5a8d2fd843671411bee853c44789e1b4ce5b614916c4555c44f2a665b",
    "losses/tversky": (
        "b721d2dffb72162f0e0bd21ba9cf3029fc4191ef23bfe386de6c3cc46b4fac85"
    ),
    "losses/cldice": "51eed18d2df7ec728fdfa531d37eb22b0c35bdb67f62bd07127a9643823bb647",
}


def medicai_losses():
    """The losses of medicai, as attributes `dice`, `tversky` and `cldice`.

    None if they are not in the cache and cannot be downloaded.
    """
    if "medicai_losses" in sys.modules:
        return sys.modules["medicai_losses"]
    paths = {}
    for name, sha256 in MEDICAI_MODULES.items():
        real_data.SOURCES[f"medicai_{name}"] = real_data.Source(
            "medicai", MEDICAI_VERSION, f"medicai/{name}.py", sha256
        )
    try:
        paths = {name: real_data.fetch(f"medicai_{name}") for name in MEDICAI_MODULES}
    except ConnectionError:
        return None
    package = types.ModuleType("medicai_losses")
    package.__path__ = []
    utils = types.ModuleType("medicai.utils")
    utils.DescribeMixin = object
    utils.camel_to_snake = str.lower
    sys.modules |= {
        "medicai_losses": package,
        "medicai": types.ModuleType("medicai"),
        "medicai.utils": utils,
    }
    try:
        for name, path in paths.items():
            short = name.partition("/")[2]
            module = _loaded(f"medicai_losses.{short}", path)
            setattr(package, short, module)
            if short == "loss_utils":
                utils.soft_skeletonize = module.soft_skeletonize
    finally:
        del sys.modules["medicai"], sys.modules["medicai.utils"]
    return package


def _loaded(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def smp_losses():
    """The loss modules of segmentation-models-pytorch, as attributes.

    Raises:
        ConnectionError: If they are not in the cache and cannot be downloaded.
    """
    if "smp_losses" in sys.modules:
        return sys.modules["smp_losses"]
    package = types.ModuleType("smp_losses")
    package.__path__ = []
    paths = {}
    for name, sha256 in SMP_MODULES.items():
        member = f"segmentation_models_pytorch/losses/{name}.py"
        real_data.SOURCES[f"smp_{name}"] = real_data.Source(
            "segmentation-models-pytorch", SMP_VERSION, member, sha256
        )
        paths[name] = real_data.fetch(f"smp_{name}")
    sys.modules["smp_losses"] = package
    for name, path in paths.items():
        setattr(package, name, _loaded(f"smp_losses.{name}", path))
    return package


def monai_losses():
    """The module `monai.losses`.

    Raises:
        ImportError: If MONAI is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from its imports
        return importlib.import_module("monai.losses")
