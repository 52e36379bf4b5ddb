"""Drop-in replacements for layers of Keras."""

from keras_trainfix.layers.frozen_batch_norm import FrozenBatchNorm as FrozenBatchNorm
