"""The only package that may depend on the backend of Keras."""

from keras_trainfix.backend.requirement import require_keras

require_keras()

from keras_trainfix.backend.arithmetic import (  # noqa: E402
    add_at_class,
    arg_max,
    at_class,
    count_ids,
    maximum,
    of_class,
    product,
    scaled_and_shifted,
    softmax,
    sums_by_class,
)
from keras_trainfix.backend.execution import (  # noqa: E402
    call_in_one_piece,
    compiled,
    compiles_each_shape,
    is_faster_in_one_piece,
    run_as_fit,
    sum_over_processes,
    sum_over_replicas,
    watched_softmax,
    write_summary,
)
from keras_trainfix.backend.fitting import (  # noqa: E402
    effect_of_trainable,
    has_lost_weights,
    is_traced,
    kept_by_user,
    same_random_state,
    step_of_user,
)
from keras_trainfix.backend.gradients import (  # noqa: E402
    custom_gradient,
    gradient,
    have_gradients,
    no_gradient,
    training_step,
    value_and_gradients,
)
from keras_trainfix.backend.tensors import (  # noqa: E402
    as_index,
    exact_tensor,
    is_concrete,
    numpy_to_read,
    on_cpu,
    slices_are_views,
    to_numpy,
    widest,
)
from keras_trainfix.keras_internals import (  # noqa: E402
    global_seeds,
    keras_mask,
    own_compiled_loss,
)

__all__ = [
    "add_at_class",
    "arg_max",
    "as_index",
    "at_class",
    "call_in_one_piece",
    "compiled",
    "compiles_each_shape",
    "count_ids",
    "custom_gradient",
    "effect_of_trainable",
    "exact_tensor",
    "global_seeds",
    "gradient",
    "has_lost_weights",
    "have_gradients",
    "is_concrete",
    "is_faster_in_one_piece",
    "is_traced",
    "kept_by_user",
    "keras_mask",
    "maximum",
    "no_gradient",
    "numpy_to_read",
    "of_class",
    "on_cpu",
    "own_compiled_loss",
    "product",
    "run_as_fit",
    "same_random_state",
    "scaled_and_shifted",
    "slices_are_views",
    "softmax",
    "step_of_user",
    "sum_over_processes",
    "sum_over_replicas",
    "sums_by_class",
    "to_numpy",
    "training_step",
    "value_and_gradients",
    "watched_softmax",
    "widest",
    "write_summary",
]
