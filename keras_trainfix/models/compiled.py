"""Drops the compiled functions of models, which hold on to what was traced."""

import gc

import keras

from keras_trainfix.models.batch_norm_layers import all_layers


def forget_compiled_functions(layers: list[keras.Layer]) -> None:
    """Drops the compiled functions of every model that contains one of `layers`.

    A compiled function contains the old computation. The models are searched among
    all live objects, because a layer does not know which models contain it: a frozen
    backbone may be part of a compiled classifier, or one layer part of two models.
    """
    ids = {id(layer) for layer in layers}
    models = [obj for obj in gc.get_objects() if issubclass(type(obj), keras.Model)]
    for model in models:
        if not any(id(layer) in ids for layer in all_layers(model)):
            continue
        for kind in ("train", "test", "predict"):
            if getattr(model, f"{kind}_function", None) is not None:
                setattr(model, f"{kind}_function", None)
                # At once, because a running `fit` does not make it again.
                getattr(model, f"make_{kind}_function")()
