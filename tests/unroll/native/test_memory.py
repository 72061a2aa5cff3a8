"""Memory that is used again: never while anything refers to it, and not without bound."""

import threading

import pytest
import torch

from ostinato.unroll.native import memory


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """No memory from before."""
    monkeypatch.setattr(memory, "_sizes", {})


def idle_bytes() -> int:
    return sum(b.bytes for blocks in memory._sizes.values() for b in blocks if b.is_idle)


def test_what_is_taken_has_the_shape_and_type_asked_for():
    taken = memory.take(torch.float64, 3, 5)
    assert (taken.shape, taken.dtype) == ((3, 5), torch.float64)
    assert taken.is_contiguous()


@pytest.mark.parametrize("shape", [(0,), (0, 7), (7, 0), (1,), (1025,), (1536,), (1537,), (2048,)])
def test_any_size_may_be_taken(shape):
    taken = memory.take(torch.float32, *shape)
    taken.fill_(1.0)
    assert taken.shape == shape


@pytest.mark.parametrize("count", [7, memory.HUGE_FROM // 4, memory.HUGE_FROM // 4 + 12345])
def test_memory_for_a_result_is_its_own_whatever_its_size(count):
    made = [memory.fresh(torch.empty(0, dtype=torch.float32), 1, count).fill_(k) for k in range(2)]
    assert [(m.shape, float(m.min()), float(m.max())) for m in made] == [((1, count), k, k) for k in range(2)]


def test_memory_of_a_result_is_no_larger_than_the_result_and_used_again():
    count = memory.HUGE_FROM // 4 + 12345
    made = memory.fresh(torch.empty(0, dtype=torch.float32), 1, count)
    assert made.untyped_storage().nbytes() == 4 * count
    address = made.data_ptr()
    del made
    assert memory.fresh(torch.empty(0, dtype=torch.float32), count, 1).data_ptr() == address


def test_a_result_may_be_changed_in_place():
    x = torch.randn(300, 64, 64)
    made = memory.fresh(x, *x.shape).copy_(x)
    assert not made._is_view()
    assert torch.equal(made.requires_grad_().detach().mul_(2.0), 2 * x)


def test_memory_that_another_process_may_see_is_not_used_again():
    count = memory.HUGE_FROM // 4
    made = memory.fresh(torch.empty(0, dtype=torch.float32), count)
    made.share_memory_()
    address = made.data_ptr()
    del made
    assert memory.fresh(torch.empty(0, dtype=torch.float32), count).data_ptr() != address


def test_memory_that_its_user_gave_back_is_not_used_again():
    count = memory.HUGE_FROM // 4
    made = memory.fresh(torch.empty(0, dtype=torch.float32), count)
    made.untyped_storage().resize_(0)
    del made
    again = memory.fresh(torch.empty(0, dtype=torch.float32), count).fill_(1.0)
    assert float(again.sum()) == count


def test_memory_is_not_handed_out_twice_while_it_is_held():
    one, other = memory.take(torch.float32, 100), memory.take(torch.float32, 100)
    assert one.untyped_storage().data_ptr() != other.untyped_storage().data_ptr()


def test_memory_that_nothing_refers_to_is_used_again():
    address = memory.take(torch.float32, 100).data_ptr()
    assert memory.take(torch.float32, 90).data_ptr() == address


@pytest.mark.parametrize(
    "hold",
    [
        lambda t: t[2:3],
        lambda t: t.view(-1),
        lambda t: t.detach(),
        lambda t: t.numpy(),
        lambda t: torch.nn.Parameter(t),
    ],
    ids=["a part", "a view", "detached", "in NumPy", "a parameter"],
)
def test_whatever_still_refers_to_memory_keeps_it(hold):
    taken = memory.take(torch.float32, 10, 10)
    address = taken.data_ptr()
    held = hold(taken)
    del taken
    assert memory.take(torch.float32, 10, 10).data_ptr() != address
    del held
    assert memory.take(torch.float32, 10, 10).data_ptr() == address


def test_what_a_graph_has_saved_is_not_handed_out_before_its_backward():
    class Keep(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            taken = memory.take(torch.float32, 50)
            taken.fill_(3.0)
            ctx.save_for_backward(taken)
            return x * 1

        @staticmethod
        def backward(ctx, gradient):
            return gradient * ctx.saved_tensors[0]

    x = torch.ones(50, requires_grad=True)
    y = Keep.apply(x)
    memory.take(torch.float32, 50).fill_(torch.nan)
    y.sum().backward()
    assert (x.grad == 3).all()
    del y
    assert idle_bytes() == sum(b.bytes for blocks in memory._sizes.values() for b in blocks)


def test_types_do_not_share_memory():
    address = memory.take(torch.float32, 2048).data_ptr()
    assert memory.take(torch.float64, 1024).data_ptr() != address


def test_idle_memory_stays_within_its_bound(monkeypatch):
    monkeypatch.setattr(memory, "IDLE_BYTES", 1 << 16)
    for size in range(1000, 60_000, 1000):
        memory.take(torch.float32, size)
        assert idle_bytes() <= (1 << 16) + 4 * size * 2
    held = [memory.take(torch.float32, 10_000) for _ in range(9)]
    del held
    memory.take(torch.float32, 20_000)
    assert idle_bytes() <= 1 << 18


def test_memory_that_is_held_is_never_given_back(monkeypatch):
    monkeypatch.setattr(memory, "IDLE_BYTES", 0)
    held = [memory.take(torch.float32, 1000 * (k + 1)).fill_(k) for k in range(8)]
    assert [int(t.unique()) for t in held] == list(range(8))


def test_threads_take_different_memory():
    taken, gate = [], threading.Barrier(8)

    def take():
        gate.wait()
        taken.append([memory.take(torch.float32, 500) for _ in range(20)])

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    addresses = [t.data_ptr() for some in taken for t in some]
    assert len(set(addresses)) == len(addresses) == 160
