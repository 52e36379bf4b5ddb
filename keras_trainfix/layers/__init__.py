"""Layers that drop in for Keras' own."""

from keras_trainfix.layers.frozen_batch_norm import FrozenBatchNorm as FrozenBatchNorm
