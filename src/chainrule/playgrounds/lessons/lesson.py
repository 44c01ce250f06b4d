"""Pages on which a model of the reader's own trains, and answers."""

from __future__ import annotations

import os
from pathlib import Path

from chainc.ir.errors import InputError
from chainrule.compiled.history import Result
from chainrule.datasets.dataset import Dataset
from chainrule.declare.arguments import path_of, shown
from chainrule.playgrounds.lessons.adversaries import adversaries
from chainrule.playgrounds.lessons.classes import Model, classes
from chainrule.playgrounds.lessons.contents import Contents, page_of
from chainrule.playgrounds.lessons.texts import Encoded, texts
from chainrule.steps.loop import Training
from chainrule.teaching.pages.writing import check_target, write_page
from chainrule.text.byte_pairs import BytePairs
from chainrule.text.characters import Characters

__all__ = ["lesson"]

Models = Model | tuple[Model, Model]
Data = Dataset | Characters | Encoded


def lesson(
    title: str,
    model: Models,
    training: Training,
    *,
    data: Data,
    result: Result | None = None,
    path: str | os.PathLike[str] = "lesson.html",
) -> Path:
    """Write a page on which a model trains in the browser, and answers to what is given to it.

    It runs the training loop that the compiler made, as WebAssembly, on the data inside the page.
    What else there is depends on model and data:

    - Points in the plane: what is predicted everywhere, and which class is taken for which.
    - Pictures, such as digits: the same of pictures that are drawn, or dropped as files, with the
      weights of the first layer, the maps of convolutions and pooling, and the saliency.
    - A text: the model goes on from what is typed, at a chosen temperature, with the chances of
      the next token, and where it attends to. Tokens are characters or byte pairs.
    - A generator and a discriminator: the points that the one makes, and how real the other takes
      each place to be.

    The file needs nothing but a browser: it opens from disk, and no request leaves it.

    Args:
        title: of the page.
        model: from the training's features to a score for each class, or to one for two classes;
            from tokens to scores for the ones that follow; or the pair of a generator, from
            noise to points, and a discriminator, from points to a score.
        training: whose inputs are the features and the class numbers; x and y of a text, as
            `Characters.windows` names them; or real points alone.
        data: with a split to train on and one to test on; or a text, of which the first nine
            tenths are trained on: `text.Characters`, or the pair of `text.BytePairs` and the
            tokens that they make of a text.
        result: of a run of the training: the page begins with what it left.
        path: where to write it; the folder exists.

    Returns:
        The path of the file; a notebook shows the page.

    Raises:
        InputError: model, training and data do not fit each other, or the data take more than
            16 MB.
        GraphError: the training cannot be WebAssembly, or the model does not say how it goes on
            from one token to the next.
        ExportError: the file cannot be written.
    """
    return write_lesson("lesson", title, model, training, data, result, path)


def write_lesson(
    function: str,
    title: str,
    model: Models,
    training: Training,
    data: Data,
    result: Result | None,
    path: str | os.PathLike[str],
) -> Path:
    """The same for another function, which errors name."""
    target = path_of(function, path)
    check_target(function, target)
    _check(function, title, model, training, data, result)
    contents = _contents(function, model, training, data)
    return write_page(function, target, page_of(function, title, training, result, contents))


def _contents(function: str, model: Models, training: Training, data: Data) -> Contents:
    if isinstance(data, Characters | tuple):
        return texts(function, model, training, data)
    if isinstance(model, tuple):
        return adversaries(function, model, training, data)
    return classes(function, model, training, data)


def _check(
    function: str, title: object, model: object, training: object, data: object, result: object
) -> None:
    models = model if isinstance(model, tuple) else [model]
    wrong = (
        ("title", title, isinstance(title, str), 'a text, such as "digits"'),
        (
            "model",
            model,
            all(map(callable, models)),
            "a layer, a function of the features, or a pair of networks",
        ),
        ("training", training, isinstance(training, Training), "what cr.training gives"),
        (
            "data",
            data,
            isinstance(data, Dataset | Characters) or _is_encoded(data),
            "a data set, such as datasets.digits(), text.Characters(), or (words, "
            "words.encode(content)) of words = text.BytePairs.train(path)",
        ),
        ("result", result, result is None or isinstance(result, Result), "what a run gives"),
    )
    for name, given, fits, wanted in wrong:
        if not fits:
            raise InputError(f"{function}: {name} is {shown(given)}", hint=f"give {wanted}")


def _is_encoded(data: object) -> bool:
    return isinstance(data, tuple) and len(data) == 2 and isinstance(data[0], BytePairs)
