"""What the library tells the user outside of warnings and errors."""

import logging

import keras

logger = logging.getLogger("keras_trainfix")


def tell(message):
    """Prints `message`, or logs it where Keras' interactive logging is off."""
    if keras.config.is_interactive_logging_enabled():
        print(message)
    else:
        logger.info(message)


def listed(names, most=5):
    """The first few of `names`, quoted, with the number of those left out."""
    names = list(names)
    text = ", ".join(f"'{name}'" for name in names[:most])
    return text + (f" and {len(names) - most} more" if len(names) > most else "")


def count(number, noun):
    """`1 layer`, `2 layers`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def percent(share):
    """`12.5 %` for 0.125."""
    return f"{100 * share:.3g} %"
