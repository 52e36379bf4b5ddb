"""The compiled functions of models, which keep what was traced into them."""

import gc

import keras

from keras_trainfix.models.batch_norm_layers import all_layers


def forget_compiled_functions(layers):
    """Drops the compiled functions of every model that contains one of `layers`.

    A compiled function has the old computation traced into it. The models are
    looked up among all live objects, because a layer does not know the models it
    is part of: a frozen backbone sits in a compiled classifier, or one layer in
    two models.
    """
    ids = {id(layer) for layer in layers}
    models = [obj for obj in gc.get_objects() if issubclass(type(obj), keras.Model)]
    for model in models:
        if not any(id(layer) in ids for layer in all_layers(model)):
            continue
        for kind in ("train", "test", "predict"):
            if getattr(model, f"{kind}_function", None) is not None:
                setattr(model, f"{kind}_function", None)
                # Made again at once, since a running `fit` does not ask for it.
                getattr(model, f"make_{kind}_function")()
