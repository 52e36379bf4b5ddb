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
        spec = importlib.util.spec_from_file_location(f"smp_losses.{name}", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        setattr(package, name, module)
    return package


def monai_losses():
    """The module `monai.losses`.

    Raises:
        ImportError: If MONAI is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from its imports
        return importlib.import_module("monai.losses")
