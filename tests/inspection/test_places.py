"""Where a layer stands, in words that a reader understands."""

from types import SimpleNamespace

import pytest

from ostinato.inspection.drawing import stem
from ostinato.inspection.words import place


def layer(network="recurrent", number=0, backwards=False):
    return SimpleNamespace(network=network, layer=number, backwards=backwards)


ONE = [layer(), layer(number=1)]
BOTH_WAYS = [layer(), layer(backwards=True)]
SEVERAL = [layer("encoder.recurrent"), layer("encoder.recurrent", backwards=True), layer("decoder.recurrent")]


@pytest.mark.parametrize(
    ("found", "among", "said"),
    [
        (ONE[1], ONE, "layer 2"),
        (BOTH_WAYS[0], BOTH_WAYS, "layer 1 (forwards)"),
        (BOTH_WAYS[1], BOTH_WAYS, "layer 1 (backwards)"),
        (SEVERAL[1], SEVERAL, "layer 1 of the encoder (backwards)"),
        (SEVERAL[2], SEVERAL, "layer 1 of the decoder"),
        (layer("inner.thing"), [layer("inner.thing"), layer("x")], "layer 1 of the inner thing"),
        (layer(number=None), [layer(number=None)], ""),
        (layer(number=None, backwards=True), BOTH_WAYS, "backwards"),
        (layer("decoder.recurrent", None), SEVERAL, "decoder"),
    ],
)
def test_a_place_says_no_more_than_is_needed_to_tell_it_from_others(found, among, said):
    assert place(found, among) == said


def test_files_are_named_by_the_place():
    assert stem("spectra", SEVERAL[1], "eigenvalues") == "spectra-encoder-recurrent-1-backwards-eigenvalues"
    assert stem("gradient-flow", layer(number=None)) == "gradient-flow-recurrent"
    assert stem("gates", layer("", 2)) == "gates-3"
