"""The small convolutional encoder: shapes, independence of the batch, sizes that cannot be."""

import pytest
import torch
from torch import nn

from ostinato._errors import ConfigError
from ostinato.layers.image_encoder import ImageEncoder


def images(count, size, seed=0):
    return torch.randint(256, (count, 3, size, size), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.mark.parametrize(("size", "side"), [(8, 1), (9, 2), (36, 5), (48, 6)])
def test_convolutions_halve_and_round_up(size, side):
    encoder = ImageEncoder(size, (8, 16, 32), vector_size=7)
    vector, regions = encoder(images(3, size))
    assert encoder.side == side
    assert tuple(vector.shape) == (3, 7)
    assert tuple(regions.shape) == (3, side**2, 32)


def test_an_image_is_read_alike_alone_and_in_a_batch():
    encoder, batch = ImageEncoder(20, (8, 32), vector_size=5).double(), images(4, 20)
    together = encoder(batch)
    for k in range(4):
        alone = encoder(batch[k : k + 1])
        torch.testing.assert_close(alone.vector[0], together.vector[k], rtol=0, atol=1e-12)
        torch.testing.assert_close(alone.regions[0], together.regions[k], rtol=0, atol=1e-12)


def test_one_convolution_is_that_of_torch():
    encoder, batch = ImageEncoder(6, (4,), vector_size=2).double(), images(2, 6)
    convolution, norm = encoder.convolutions[0][0], encoder.convolutions[0][1]
    seen = nn.functional.conv2d(batch.double() / 127.5 - 1, convolution.weight, convolution.bias, stride=2, padding=1)
    mean, deviation = seen.mean((1, 2, 3), keepdim=True), seen.var((1, 2, 3), unbiased=False, keepdim=True)
    expected = torch.relu((seen - mean) / torch.sqrt(deviation + norm.eps))
    regions = encoder(batch).regions
    for row in range(3):
        for column in range(3):
            place = 3 * row + column
            torch.testing.assert_close(regions[:, place], expected[:, :, row, column] + encoder.places[place])


def test_bytes_and_real_numbers_are_read_alike():
    encoder, batch = ImageEncoder(8, (4,), vector_size=2), images(2, 8)
    torch.testing.assert_close(encoder(batch).vector, encoder(batch.float()).vector)


def test_an_image_changes_the_regions_where_it_changes():
    encoder, batch = ImageEncoder(32, (8, 16), vector_size=4), images(1, 32)
    changed = batch.clone()
    changed[:, :, :4, :4] = 255 - changed[:, :, :4, :4]
    moved = (encoder(changed).regions - encoder(batch).regions).abs().sum(-1)[0].view(8, 8)
    assert int(moved.argmax()) in (0, 1, 8, 9)  # what the four pixels reach through two convolutions


def test_every_weight_has_a_gradient():
    encoder = ImageEncoder(12, (4, 32), vector_size=3)
    vector, regions = encoder(images(2, 12))
    (vector.sum() + regions.square().sum()).backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in encoder.parameters())


@pytest.mark.parametrize(
    ("size", "channels", "vector", "said"),
    [
        (36, (), 8, "Possible: numbers from 1"),
        (36, (8, 0), 8, "Possible: numbers from 1"),
        (36, (8,), 0, "Possible: numbers from 1"),
        (36, (33,), 8, "multiples"),
        (7, (8, 8, 8), 8, "it has 8 at least"),
    ],
)
def test_sizes_that_cannot_be(size, channels, vector, said):
    with pytest.raises(ConfigError, match=said):
        ImageEncoder(size, channels, vector)


def test_images_of_another_size_are_refused():
    with pytest.raises(ConfigError, match=r"images of shape \(1, 3, 10, 10\)"):
        ImageEncoder(12, (4,), 2)(images(1, 10))
