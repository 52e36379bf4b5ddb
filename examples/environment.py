"""Settings that must precede the import of Keras; the examples import this first."""

import importlib.util
import logging
import os

installed = filter(importlib.util.find_spec, ("tensorflow", "jax", "torch"))
os.environ.setdefault("KERAS_BACKEND", next(installed, "tensorflow"))
# On CPUs with AVX-512, oneDNN corrupts memory when training the pretrained network, and
# the process dies without a traceback: see README.md.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow warns that every new model is traced again, which is expected.
logging.getLogger("tensorflow").setLevel(logging.ERROR)
SHORT = os.environ.get("KERAS_TRAINFIX_SHORT") == "1"
