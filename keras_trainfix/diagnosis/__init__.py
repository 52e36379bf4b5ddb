"""Finds what keeps a model from learning.

Importing the package registers every check, every treatment, and what shows and
repairs a diagnosis.
"""

import importlib
import pkgutil

from keras_trainfix.diagnosis import checks, report
from keras_trainfix.diagnosis.experiments import treatments

for _package in (checks, treatments, report):
    for _module in pkgutil.walk_packages(_package.__path__, f"{_package.__name__}."):
        importlib.import_module(_module.name)
importlib.import_module("keras_trainfix.diagnosis.repair")
